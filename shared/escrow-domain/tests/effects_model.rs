//! The protocol of a refund at a gateway, explored state by state: one escrow, one refund, two workers that stop anywhere, a gateway that
//! does it, does it late, does it and loses the answer, refuses, or forgets the key. In no order is the buyer paid twice, and no
//! refund is called made that was not.
//!
//! Time runs in minutes. A request that was sent may reach the gateway until the quiet period after its lease is over: that is what the
//! quiet period promises, and what the protocol rests on.

use crate::fixture::{START, actor, freeze, name_of, refunding, unfreeze};
use escrow_domain::command::{Attempt, Command, Fact, RefundOutcome};
use escrow_domain::decide::{self, Moment, Outcome};
use escrow_domain::effect::{Progress, Task};
use escrow_domain::escrow::Escrow;
use escrow_domain::id::{GatewayName, Operation};
use escrow_domain::lifecycle::Role;
use escrow_domain::payment::RefundStatus;
use escrow_domain::time::{Period, Timestamp};
use escrow_domain::work::{self, LEASE, NotFound, Plan, QUIET};
use std::collections::{HashSet, VecDeque};
use std::rc::Rc;

const REFUND: Task = Task::Refund(0);
/// How long a key may be sent again, in this model.
const KEY_LIFE: i64 = 4;

/// The minutes at which something can happen: around leases, the end of the key's life, and the ends of quiet periods.
const MINUTES: &[i64] = &[0, 1, 2, 4, 5, 15, 16, 17, 31, 32];
/// After so many claims no more are made.
const MOST_CLAIMS: u32 = 3;

/// What the model lets workers do wrong, to see that it would be found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flaw {
    None,
    /// "I know of no such refund" is believed at once.
    NoQuietPeriod,
    /// A request is sent although the lease is over.
    SendsAfterItsLease,
    /// A gateway without keys is sent the request again, without a look.
    ResendsWithoutKeys,
    /// A refusal is believed while a twin of the request may be alive.
    BelievesEveryRefusal,
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
    /// Has read the escrow of that version at that minute.
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
    escrow: Rc<Escrow>,
    minute: i64,
    workers: [Worker; 2],
    /// Every refund that was made: under which key, and when.
    made: Vec<(u8, i64)>,
    /// Requests nobody waits for any more, which may still arrive.
    loose: Vec<Request>,
    freezes: u8,
}

fn minutes(at: Timestamp) -> i64 {
    at.since(START).as_seconds() / 60
}

impl State {
    fn now(&self) -> Moment {
        moment(self.minute)
    }

    /// What tells two states apart: not the version, the tokens or the number of tries, which only grow.
    fn key(&self, loses_track: bool) -> impl Eq + std::hash::Hash + use<> {
        let effect = self.escrow.effect(REFUND).map(|effect| {
            let claim = match effect.progress {
                Progress::Ready => None,
                Progress::Sending(claim) | Progress::InDoubt(claim) => {
                    Some((minutes(claim.lease_until), minutes(claim.first_sent), claim.earlier_lease.map(minutes)))
                }
            };
            (claim, effect.key_suffix, effect.look_up_first)
        });
        let mut loose = self.loose.clone();
        let mut workers = self.workers.map(|worker| {
            let holds = |token| loses_track || self.escrow.claimed_by(REFUND, token).is_some();
            match worker {
                Worker::Planned { looks_up, version, at } if version == self.escrow.version => (1, at, 0, looks_up),
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
        let status = self.escrow.refunds[0].status;
        (effect, status, self.escrow.is_stopped(), self.freezes, self.minute, workers, self.made.clone(), loose)
    }

    fn with(&self, worker: usize, doing: Worker) -> Self {
        let mut next = self.clone();
        next.workers[worker] = doing;
        next
    }

    fn committed(&self, escrow: Escrow) -> Self {
        assert_eq!(escrow.version, self.escrow.version + 1);
        Self { escrow: Rc::new(escrow), ..self.clone() }
    }

    fn outcome(&self, outcome: Outcome) -> Self {
        match outcome {
            Outcome::Changed(change) => self.committed(change.escrow),
            Outcome::AlreadyDone => self.clone(),
        }
    }

    fn decided(&self, role: Role, command: Command, operation: Operation) -> Option<Self> {
        let attempt = Attempt { command, actor: actor(role), operation };
        decide::decide(&self.escrow, &attempt, self.now()).ok().map(|outcome| self.outcome(outcome))
    }

    fn fact(&self, outcome: RefundOutcome) -> Self {
        let money = self.escrow.refunds[0].amount.of(self.escrow.terms.currency);
        let fact =
            Fact::Refund { refund: 0, gateway: GatewayName::Stripe, reference: "re_0".to_owned(), money, outcome };
        let operation = name_of(&fact);
        self.decided(Role::Gateway, Command::Fact(fact), operation).expect("a fact is booked")
    }
}

fn moment(minute: i64) -> Moment {
    Moment { at: Timestamp::from_millis(START.as_millis() + minute * 60_000), epoch: 0 }
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
            all.push(state.fact(RefundOutcome::Succeeded));
        }
        if state.escrow.is_stopped() {
            let name = Operation::of_person("i", "o", "POST", "unfreeze", "1", b"");
            all.extend(state.decided(Role::Operator, unfreeze(), name));
        } else if state.freezes == 0 && state.minute < 2 {
            let name = Operation::of_person("i", "o", "POST", "freeze", "1", b"");
            all.extend(state.decided(Role::Operator, freeze(), name).map(|next| State { freezes: 1, ..next }));
        }
        for worker in 0..2 {
            self.work(state, worker, &mut all);
        }
        all
    }

    fn work(self, state: &State, worker: usize, all: &mut Vec<State>) {
        let now = state.now();
        let mut stopped = state.with(worker, Worker::Idle);
        match state.workers[worker] {
            Worker::Idle => {
                let Some(effect) = state.escrow.effect(REFUND) else { return };
                if matches!(effect.progress, Progress::Sending(claim) if claim.fence >= MOST_CLAIMS) {
                    return;
                }
                let life = self.keys.then_some(Period::minutes(u32::try_from(KEY_LIFE).unwrap()));
                let life = if self.flaw == Flaw::ResendsWithoutKeys { Some(Period::days(1)) } else { life };
                let looks_up = match state.escrow.plan(effect, life, now) {
                    Plan::Send => false,
                    Plan::LookUp => true,
                    Plan::Wait(_) | Plan::Leave => return,
                };
                all.push(
                    state.with(worker, Worker::Planned { looks_up, version: state.escrow.version, at: state.minute }),
                );
                return;
            }
            Worker::Planned { looks_up, version, at } => {
                if version == state.escrow.version {
                    let mut token = [0; 16];
                    token[0] = u8::try_from(worker).unwrap();
                    token[8..].copy_from_slice(&version.to_be_bytes());
                    let claimed = state.committed(state.escrow.claim(REFUND, token, moment(at)).unwrap().escrow);
                    let lease = minutes(moment(at).at.after(LEASE));
                    let doing = if looks_up { Worker::LooksUp { token } } else { Worker::Claimed { token, lease } };
                    all.push(claimed.with(worker, doing));
                }
            }
            Worker::Claimed { token, lease } => {
                if state.minute < lease || self.flaw == Flaw::SendsAfterItsLease {
                    let (key, dies) =
                        (self.key_of(state, token), lease.max(state.minute) + minutes(START.after(QUIET)));
                    if let Some(key) = key {
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
                all.push(state.fact(RefundOutcome::Succeeded).with(worker, Worker::Idle));
            }
            Worker::Asked { token, at, found: false } => {
                let asked = if self.flaw == Flaw::NoQuietPeriod { moment(at + 60) } else { moment(at) };
                match work::after_look_up(&state.escrow, REFUND, token, asked) {
                    Err(_) => {}
                    Ok(NotFound::LookAgain(change)) => {
                        all.push(state.committed(change.escrow).with(worker, Worker::Idle));
                    }
                    Ok(NotFound::SendAgain(change)) => {
                        let next = state.committed(change.escrow);
                        let (_, claim) = next.escrow.claimed_by(REFUND, token).expect("its own claim");
                        let lease = minutes(claim.lease_until);
                        all.push(next.with(worker, Worker::Claimed { token, lease }));
                    }
                }
            }
            Worker::Sent { token, request, arrived: false } => {
                all.push(self.arrive(state, request).with(worker, Worker::Sent { token, request, arrived: true }));
                // A definite no: this request will never do it.
                match state.escrow.claimed_by(REFUND, token) {
                    _ if self.is_known(state, request) => {}
                    Some((_, claim))
                        if Escrow::refusal_is_final(&claim, now.at) || self.flaw == Flaw::BelievesEveryRefusal =>
                    {
                        let failed = RefundOutcome::Failed("no such charge".to_owned());
                        all.push(state.fact(failed).with(worker, Worker::Idle));
                    }
                    Some(_) | None => all.push(put_off(state, token, false).with(worker, Worker::Idle)),
                }
                // No answer in time, or a 5xx: it may still arrive.
                stopped.loose.push(request);
                stopped.loose.sort_unstable();
                all.push(put_off(&stopped, token, false));
                all.push(put_off(&stopped, token, true));
            }
            Worker::Sent { token, arrived: true, .. } => {
                all.push(state.fact(RefundOutcome::Succeeded).with(worker, Worker::Idle));
                all.push(put_off(&stopped, token, false));
            }
        }
        // It can stop anywhere.
        all.push(stopped);
    }

    /// The key in the escrow as this worker committed it; nobody else changes it while the claim is this worker's.
    fn key_of(self, state: &State, token: [u8; 16]) -> Option<u8> {
        match state.escrow.claimed_by(REFUND, token) {
            Some((effect, _)) => Some(effect.key_suffix),
            // Another worker has taken over, which it cannot know: it sends what it has in hand.
            None if self.flaw == Flaw::SendsAfterItsLease => Some(0),
            None => None,
        }
    }

    /// What is wrong with a state, if anything is.
    fn wrong(state: &State) -> Option<&'static str> {
        let status = state.escrow.refunds[0].status;
        let alive = state.loose.len()
            + state.workers.iter().filter(|worker| matches!(worker, Worker::Sent { arrived: false, .. })).count();
        if state.made.len() > 1 {
            Some("the buyer was paid twice")
        } else if status == RefundStatus::Succeeded && state.made.is_empty() {
            Some("a refund is called made that was not")
        } else if status == RefundStatus::Failed && (!state.made.is_empty() || alive > 0) {
            Some("a refund is called failed that was made, or may still be")
        } else {
            None
        }
    }

    /// Every state that can be reached; their number, or the first that is wrong. How often refunds ended well comes second.
    fn explore(self) -> Result<(usize, usize), &'static str> {
        let escrow = Rc::new(refunding().escrow);
        let first =
            State { escrow, minute: 0, workers: [Worker::Idle; 2], made: Vec::new(), loose: Vec::new(), freezes: 0 };
        let lost = self.flaw == Flaw::SendsAfterItsLease;
        let mut seen = HashSet::from([first.key(lost)]);
        let mut waiting = VecDeque::from([first]);
        let mut ended_well = 0;
        while let Some(state) = waiting.pop_front() {
            if let Some(wrong) = Self::wrong(&state) {
                return Err(wrong);
            }
            if state.escrow.refunds[0].status == RefundStatus::Succeeded {
                ended_well += 1;
            }
            for next in self.next(&state) {
                if seen.insert(next.key(lost)) {
                    waiting.push_back(next);
                }
            }
        }
        Ok((seen.len(), ended_well))
    }
}

fn put_off(state: &State, token: [u8; 16], look_up_first: bool) -> State {
    let outcome = work::put_off(&state.escrow, REFUND, token, look_up_first, state.now()).unwrap();
    state.outcome(outcome)
}

#[test]
fn with_keys_no_order_of_events_refunds_twice_or_calls_made_what_was_not() {
    let (states, ended_well) = Model { keys: true, flaw: Flaw::None }.explore().unwrap();
    assert!(states >= 100_000, "the model has shrunk to {states} states");
    assert!(ended_well >= 100, "only {ended_well} states in which the refund is made");
}

#[test]
fn without_keys_look_ups_do_the_same() {
    let (states, ended_well) = Model { keys: false, flaw: Flaw::None }.explore().unwrap();
    assert!(states >= 100_000, "the model has shrunk to {states} states");
    assert!(ended_well >= 100, "only {ended_well} states in which the refund is made");
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
    ] {
        let found = Model { keys, flaw }.explore();
        assert!(found.is_err(), "not found with keys {keys}: {flaw:?}");
    }
}
