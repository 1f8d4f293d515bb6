//! The protocol of a payout at a gateway, explored state by state: one payout, two workers that stop anywhere, a hold that comes and goes, a
//! gateway that does it, does it late, does it and loses the answer, refuses for good or for now, or forgets the key. In no order is
//! the owner paid twice, no payout is called paid that was not made, and none goes back into the wallet, or becomes ready again, while it
//! was made or a request of it may still arrive.
//!
//! Time runs in minutes. A request that was sent may reach the gateway until the quiet period after its lease is over.

use super::purse::{Purse, STRIPE};
use crate::fixture::START;
use escrow_domain::command::Attempt;
use escrow_domain::decide::{Moment, Outcome};
use escrow_domain::effect::{LEASE, Plan, Progress, QUIET};
use escrow_domain::id::Operation;
use escrow_domain::journal::Actor;
use escrow_domain::payout::{
    self, Payout, PayoutChange, PayoutCommand, PayoutFact, PayoutOutcome, PayoutStatus, TransferOutcome,
};
use escrow_domain::time::{Period, Timestamp};
use escrow_domain::wallet::Wallet;
use escrow_domain::work::NotFound;
use std::collections::{HashSet, VecDeque};
use std::rc::Rc;

/// How long a key may be sent again, in this model.
const KEY_LIFE: i64 = 4;
/// The minutes at which something can happen: around leases, the end of the key's life, the ends of quiet periods, the next try after a
/// refusal for now.
const MINUTES: &[i64] = &[0, 1, 2, 4, 5, 15, 16, 17, 31, 32];
/// After so many claims no more are made.
const MOST_CLAIMS: u8 = 3;

/// What the model lets workers do wrong, to see that it would be found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flaw {
    None,
    /// "I know of no such transfer" is believed at once.
    NoQuietPeriod,
    /// A request is sent although the lease is over.
    SendsAfterItsLease,
    /// A gateway without keys is sent the request again, without a look.
    ResendsWithoutKeys,
    /// A refusal is believed while a twin of the request may be alive.
    BelievesEveryRefusal,
    /// A time-out is taken for a refusal.
    TimeOutIsFailure,
}

#[derive(Clone, Copy)]
struct Model {
    keys: bool,
    flaw: Flaw,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Request {
    key: u8,
    /// From this minute on it can no longer reach the gateway.
    dies: i64,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Worker {
    Idle,
    /// Has read the payout of that version at that minute.
    Planned {
        looks_up: bool,
        version: u64,
        at: i64,
    },
    /// Holds a claim, and will send.
    Claimed {
        token: [u8; 16],
        lease: i64,
    },
    /// Holds a claim, and will look up.
    LooksUp {
        token: [u8; 16],
    },
    /// Has asked the gateway at that minute.
    Asked {
        token: [u8; 16],
        at: i64,
        found: bool,
    },
    /// Waits for the answer.
    Sent {
        token: [u8; 16],
        request: Request,
        arrived: bool,
    },
}

#[derive(Clone)]
struct State {
    payout: Rc<Payout>,
    /// Only its hold changes here; what the payout does to it is checked with each change.
    wallet: Rc<Wallet>,
    minute: i64,
    workers: [Worker; 2],
    /// Every transfer that was made: under which key, and when.
    made: Vec<(u8, i64)>,
    /// Requests nobody waits for any more, which may still arrive.
    loose: Vec<Request>,
    holds: u8,
}

fn minutes(at: Timestamp) -> i64 {
    at.since(START).as_seconds() / 60
}

fn moment(minute: i64) -> Moment {
    Moment { at: Timestamp::from_millis(START.as_millis() + minute * 60_000), epoch: 0 }
}

impl State {
    fn now(&self) -> Moment {
        moment(self.minute)
    }

    /// What tells two states apart: not the version, the tokens or the number of tries beyond the bound, which only grow.
    fn key(&self, loses_track: bool) -> impl Eq + std::hash::Hash + use<> {
        let effect = self.payout.effect.map(|effect| {
            let claim = match effect.progress {
                Progress::Ready => None,
                Progress::Sending(claim) | Progress::InDoubt(claim) => {
                    Some((minutes(claim.lease_until), minutes(claim.first_sent), claim.earlier_lease.map(minutes)))
                }
            };
            (claim, effect.key_suffix, effect.look_up_first, effect.tries, minutes(effect.due_at))
        });
        let mut loose = self.loose.clone();
        let mut workers = self.workers.map(|worker| {
            let holds = |token| loses_track || self.payout.claimed_by(token).is_some();
            match worker {
                Worker::Planned { looks_up, version, at } if version == self.payout.version => (1, at, 0, looks_up),
                Worker::Claimed { token, lease } if holds(token) => (2, lease, 0, false),
                Worker::LooksUp { token } if holds(token) => (3, 0, 0, false),
                Worker::Asked { token, at, found: false } if holds(token) => (4, at, 0, false),
                Worker::Sent { token, request, arrived } if holds(token) => (5, request.dies, request.key, arrived),
                // Whoever has lost the claim can do no more than somebody who waits; a request of theirs may still arrive.
                Worker::Sent { request, arrived: false, .. } => {
                    loose.push(request);
                    (0, 0, 0, false)
                }
                Worker::Idle
                | Worker::Planned { .. }
                | Worker::Claimed { .. }
                | Worker::LooksUp { .. }
                | Worker::Asked { .. }
                | Worker::Sent { .. } => (0, 0, 0, false),
            }
        });
        loose.sort_unstable();
        // It does not matter which of the two is which.
        workers.sort_unstable();
        let held = self.wallet.hold.is_some();
        (effect, self.payout.status, held, self.holds, self.minute, workers, self.made.clone(), loose)
    }

    fn with(&self, worker: usize, doing: Worker) -> Self {
        let mut next = self.clone();
        next.workers[worker] = doing;
        next
    }

    fn committed(&self, change: PayoutChange) -> Self {
        assert_eq!(change.payout.version, self.payout.version + 1);
        Self { payout: Rc::new(change.payout), ..self.clone() }
    }

    fn outcome(&self, outcome: PayoutOutcome) -> Self {
        match outcome {
            Outcome::Changed(change) => self.committed(*change),
            Outcome::AlreadyDone => self.clone(),
        }
    }

    /// The gateway's word; `None` if it fits nothing, which an operator is told.
    fn fact(&self, outcome: TransferOutcome) -> Option<Self> {
        let happening = if outcome == TransferOutcome::Sent { "sent" } else { "failed" };
        let operation = Operation::of_gateway(STRIPE, "tr_1", happening);
        let (reference, money) = ("tr_1".to_owned(), self.payout.money);
        let fact = PayoutFact::Transfer { gateway: STRIPE, reference, money, outcome };
        let attempt = Attempt { command: PayoutCommand::Fact(fact), actor: Actor::gateway(), operation };
        payout::decide(&self.payout, &attempt, self.now()).ok().map(|outcome| self.outcome(outcome))
    }

    fn put_off(&self, token: [u8; 16], look_up_first: bool) -> Self {
        self.outcome(payout::put_off(&self.payout, token, look_up_first, self.now()).unwrap())
    }
}

impl Model {
    /// A request reaches the gateway: made, or recognised by its key.
    fn arrive(self, state: &State, request: Request) -> State {
        let mut next = state.clone();
        if !self.is_known(state, request) {
            next.made.push((request.key, state.minute));
        }
        next
    }

    /// Whether the gateway would repeat the answer that it gave to this key.
    fn is_known(self, state: &State, request: Request) -> bool {
        // Keys live on for a while after they may no longer be sent: a day at Stripe, where twenty hours are used.
        let life = KEY_LIFE + minutes(START.after(LEASE).after(QUIET)) + 1;
        self.keys && state.made.iter().any(|(key, at)| *key == request.key && state.minute < at + life)
    }

    fn next(self, state: &State) -> Vec<State> {
        let mut all = Vec::new();
        if let Some(minute) = MINUTES.iter().copied().find(|minute| *minute > state.minute) {
            let mut next = state.clone();
            next.minute = minute;
            next.loose.retain(|request| request.dies > next.minute);
            // A worker that still waits when its request can no longer arrive has long been told so.
            let waits = |worker: &Worker| matches!(worker, Worker::Sent { request, arrived: false, .. } if request.dies <= next.minute);
            if !next.workers.iter().any(waits) {
                all.push(next);
            }
        }
        for (at, request) in state.loose.iter().enumerate() {
            let mut next = self.arrive(state, *request);
            next.loose.remove(at);
            all.push(next);
        }
        if !state.made.is_empty() {
            all.extend(state.fact(TransferOutcome::Sent));
        }
        if state.wallet.hold.is_some() {
            all.push(State { wallet: Rc::new(state.wallet.held(None).unwrap()), ..state.clone() });
        } else if state.holds == 0 && state.minute < 2 {
            let wallet = Rc::new(state.wallet.held(Some("a break")).unwrap());
            all.push(State { wallet, holds: 1, ..state.clone() });
        }
        for worker in 0..2 {
            self.work(state, worker, &mut all);
        }
        all
    }

    fn work(self, state: &State, worker: usize, all: &mut Vec<State>) {
        let mut stopped = state.with(worker, Worker::Idle);
        match state.workers[worker] {
            Worker::Idle => {
                let Some(effect) = state.payout.effect else { return };
                if effect.tries >= MOST_CLAIMS || effect.due_at > state.now().at {
                    return;
                }
                let life = self.keys.then_some(Period::minutes(u32::try_from(KEY_LIFE).unwrap()));
                let life = if self.flaw == Flaw::ResendsWithoutKeys { Some(Period::days(1)) } else { life };
                let looks_up = match state.payout.plan(&state.wallet, life, state.now()) {
                    Plan::Send => false,
                    Plan::LookUp => true,
                    Plan::Wait(_) | Plan::Leave => return,
                };
                let (version, at) = (state.payout.version, state.minute);
                all.push(state.with(worker, Worker::Planned { looks_up, version, at }));
                return;
            }
            Worker::Planned { looks_up, version, at } => {
                if version == state.payout.version {
                    let mut token = [0; 16];
                    token[0] = u8::try_from(worker).unwrap();
                    token[8..].copy_from_slice(&version.to_be_bytes());
                    let claimed = state.committed(state.payout.claim(token, moment(at)).unwrap());
                    let lease = minutes(moment(at).at.after(LEASE));
                    let doing = if looks_up { Worker::LooksUp { token } } else { Worker::Claimed { token, lease } };
                    all.push(claimed.with(worker, doing));
                }
            }
            Worker::Claimed { token, lease } => {
                if state.minute < lease || self.flaw == Flaw::SendsAfterItsLease {
                    let dies = lease.max(state.minute) + minutes(START.after(QUIET));
                    if let Some(key) = self.key_of(state, token) {
                        let sent = Worker::Sent { token, request: Request { key, dies }, arrived: false };
                        all.push(state.with(worker, sent));
                    }
                }
            }
            Worker::LooksUp { token } => {
                let found = !state.made.is_empty();
                all.push(state.with(worker, Worker::Asked { token, at: state.minute, found }));
            }
            Worker::Asked { found: true, .. } => {
                all.extend(state.fact(TransferOutcome::Sent).map(|next| next.with(worker, Worker::Idle)));
            }
            Worker::Asked { token, at, found: false } => {
                let asked = if self.flaw == Flaw::NoQuietPeriod { moment(at + 60) } else { moment(at) };
                // Whoever lost the claim has nothing to commit.
                if state.payout.claimed_by(token).is_some() {
                    match payout::after_look_up(&state.payout, &state.wallet, token, asked).unwrap() {
                        NotFound::LookAgain(change) => {
                            all.push(state.committed(*change).with(worker, Worker::Idle));
                        }
                        NotFound::SendAgain(change) => {
                            let next = state.committed(*change);
                            let (_, claim) = next.payout.claimed_by(token).expect("its own claim");
                            let lease = minutes(claim.lease_until);
                            all.push(next.with(worker, Worker::Claimed { token, lease }));
                        }
                    }
                }
            }
            Worker::Sent { token, request, arrived: false } => {
                all.push(self.arrive(state, request).with(worker, Worker::Sent { token, request, arrived: true }));
                if !self.is_known(state, request) {
                    self.refused(state, worker, token, all);
                }
                // No answer in time, or a 5xx: it may still arrive.
                stopped.loose.push(request);
                stopped.loose.sort_unstable();
                all.push(stopped.put_off(token, false));
                all.push(stopped.put_off(token, true));
                if self.flaw == Flaw::TimeOutIsFailure {
                    all.extend(stopped.fact(TransferOutcome::Failed("no answer".to_owned())));
                }
            }
            Worker::Sent { token, arrived: true, .. } => {
                all.extend(state.fact(TransferOutcome::Sent).map(|next| next.with(worker, Worker::Idle)));
                all.push(stopped.put_off(token, false));
            }
        }
        // It can stop anywhere.
        all.push(stopped);
    }

    /// A definite no, for good or for now: this request will never do it.
    fn refused(self, state: &State, worker: usize, token: [u8; 16], all: &mut Vec<State>) {
        let Some((_, claim)) = state.payout.claimed_by(token) else { return };
        let idle = state.with(worker, Worker::Idle);
        if claim.refusal_is_final(state.now().at) || self.flaw == Flaw::BelievesEveryRefusal {
            all.extend(idle.fact(TransferOutcome::Failed("no such account".to_owned())));
        } else {
            all.push(idle.put_off(token, true));
        }
        let later = payout::refused_for_now(&idle.payout, token, "the balance is too low", idle.now()).unwrap();
        all.push(idle.outcome(later));
    }

    /// The key in the payout as this worker committed it; nobody else changes it while the claim is this worker's.
    fn key_of(self, state: &State, token: [u8; 16]) -> Option<u8> {
        match state.payout.claimed_by(token) {
            Some((effect, _)) => Some(effect.key_suffix),
            // Another worker has taken over, which it cannot know: it sends what it has in hand.
            None if self.flaw == Flaw::SendsAfterItsLease => Some(0),
            None => None,
        }
    }

    /// What is wrong with a state, if anything is.
    fn wrong(state: &State) -> Option<&'static str> {
        let alive = state.loose.len()
            + state.workers.iter().filter(|worker| matches!(worker, Worker::Sent { arrived: false, .. })).count();
        let gone = !state.made.is_empty() || alive > 0;
        match state.payout.status {
            _ if state.made.len() > 1 => Some("the owner was paid twice"),
            PayoutStatus::Paid if state.made.is_empty() => Some("a payout is called paid that was not made"),
            PayoutStatus::Failed if gone => Some("a payout is called failed that was made, or may still be"),
            PayoutStatus::Ready if gone => Some("a payout is called ready that was made, or may still be"),
            PayoutStatus::Approval | PayoutStatus::Owed | PayoutStatus::Rejected | PayoutStatus::Returned => {
                Some("a payout went where nobody sent it")
            }
            PayoutStatus::Ready
            | PayoutStatus::Sending
            | PayoutStatus::Review
            | PayoutStatus::Paid
            | PayoutStatus::Failed => None,
        }
    }

    /// Every state that can be reached; their number, or the first that is wrong. How often the payout was paid comes second.
    fn explore(self) -> Result<(usize, usize), &'static str> {
        let purse = Purse::ready();
        let first = State {
            payout: Rc::new(purse.payout),
            wallet: Rc::new(purse.wallet),
            minute: 0,
            workers: [Worker::Idle; 2],
            made: Vec::new(),
            loose: Vec::new(),
            holds: 0,
        };
        let lost = self.flaw == Flaw::SendsAfterItsLease;
        let mut seen = HashSet::from([first.key(lost)]);
        let mut waiting = VecDeque::from([first]);
        let mut paid = 0;
        while let Some(state) = waiting.pop_front() {
            if let Some(wrong) = Self::wrong(&state) {
                return Err(wrong);
            }
            if state.payout.status == PayoutStatus::Paid {
                paid += 1;
            }
            for next in self.next(&state) {
                if seen.insert(next.key(lost)) {
                    waiting.push_back(next);
                }
            }
        }
        Ok((seen.len(), paid))
    }
}

#[test]
fn with_keys_no_order_of_events_pays_twice_or_gives_back_what_left() {
    let (states, paid) = Model { keys: true, flaw: Flaw::None }.explore().unwrap();
    assert!(states >= 100_000, "the model has shrunk to {states} states");
    assert!(paid >= 100, "only {paid} states in which the payout is paid");
}

#[test]
fn without_keys_look_ups_do_the_same() {
    let (states, paid) = Model { keys: false, flaw: Flaw::None }.explore().unwrap();
    assert!(states >= 100_000, "the model has shrunk to {states} states");
    assert!(paid >= 100, "only {paid} states in which the payout is paid");
}

#[test]
fn the_model_finds_what_a_flawed_worker_does() {
    for (keys, flaw) in [
        (false, Flaw::NoQuietPeriod),
        (true, Flaw::NoQuietPeriod),
        (false, Flaw::SendsAfterItsLease),
        (false, Flaw::ResendsWithoutKeys),
        // Without keys nothing is sent again before the quiet period is over, so that no twin is alive when a refusal comes.
        (true, Flaw::BelievesEveryRefusal),
        (true, Flaw::TimeOutIsFailure),
    ] {
        let found = Model { keys, flaw }.explore();
        assert!(found.is_err(), "not found with keys {keys}: {flaw:?}");
    }
}
