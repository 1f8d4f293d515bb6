//! Any lives of up to four payouts of one wallet, with two workers that stop anywhere and a gateway that does it, does it late, does it
//! and loses the answer, refuses, refuses for now, breaks, and tells everything late, twice and in disorder; with holds, operators, and
//! restores from backup. At every moment the wallet, the journals and the transfers at the gateway agree, and nobody is paid twice. In
//! the end everything is settled.

mod gateway;

use super::purse::{KEY_LIFE, STRIPE, by_stripe, money, wallet_of};
use crate::fixture::{START, actor, minor, sar, user};
use escrow_domain::command::Attempt;
use escrow_domain::decide::{Moment, Outcome};
use escrow_domain::effect::{LEASE, Plan, QUIET};
use escrow_domain::id::{EscrowId, Operation, PayoutId};
use escrow_domain::journal::Actor;
use escrow_domain::lifecycle::Role;
use escrow_domain::payout::{
    self, NewPayout, Payout, PayoutChange, PayoutCommand, PayoutFact, PayoutLimits, PayoutOutcome, PayoutResolution,
    PayoutStatus, PayoutUndecided, PayoutWork, Rail, TransferOutcome, verify,
};
use escrow_domain::refusal::{Misfit, Undecided};
use escrow_domain::time::{Period, Timestamp};
use escrow_domain::wallet::{LineKind, MovedBy, Wallet, WalletMove};
use escrow_domain::work::NotFound;
use gateway::{Answer, Loose, Transfer};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestError, TestRng, TestRunner};
use std::collections::BTreeMap;

/// How many lives: 2 000, or what `PROPTEST_CASES` says.
#[expect(clippy::disallowed_methods, reason = "how long a test runs is said by whoever runs it")]
fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(2_000)
}

/// What a worker may do wrong here, to see that it would be found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flaw {
    None,
    /// "I know of no such transfer" is believed at once.
    NoQuietPeriod,
    /// A refusal is believed while a twin of the request may be alive.
    BelievesEveryRefusal,
    /// A key is sent again however old it is.
    ForgetsThatKeysEnd,
}

/// One thing that happens; its numbers choose among what is there.
#[derive(Clone, Copy, Debug)]
struct Step {
    kind: u8,
    which: u8,
    choice: u8,
    share: u16,
}

fn step() -> impl Strategy<Value = Step> {
    (0_u8..34, any::<u8>(), any::<u8>(), 0_u16..1_000).prop_map(|(kind, which, choice, share)| Step {
        kind,
        which,
        choice,
        share,
    })
}

#[derive(Clone, Copy)]
enum Worker {
    Idle,
    /// Holds a claim, and will send.
    Claimed {
        payout: usize,
        token: [u8; 16],
    },
    /// Holds a claim, and will look up.
    LooksUp {
        payout: usize,
        token: [u8; 16],
    },
    /// Has asked the gateway at that moment.
    Asked {
        payout: usize,
        token: [u8; 16],
        at: Moment,
        found: Option<usize>,
    },
    /// Has sent it at that moment, and has the answer.
    Answered {
        payout: usize,
        token: [u8; 16],
        at: Moment,
        answer: Answer,
    },
}

/// What a backup keeps.
#[derive(Clone)]
struct Books {
    wallet: Wallet,
    payouts: Vec<Payout>,
    earned: i64,
}

struct World {
    books: Books,
    backup: Option<Books>,
    workers: [Worker; 2],
    made: Vec<Transfer>,
    /// The answer to each key, and when it was first given.
    answers: BTreeMap<String, (Timestamp, Answer)>,
    loose: Vec<Loose>,
    /// Reversals that may be told: of which transfer, and the total after it.
    reversals: Vec<(usize, i64)>,
    now: Timestamp,
    epoch: u32,
    serial: u64,
    flaw: Flaw,
}

type Played = Result<(), String>;

impl World {
    fn new(flaw: Flaw) -> Self {
        Self {
            books: Books { wallet: wallet_of(100_000), payouts: Vec::new(), earned: 100_000 },
            backup: None,
            workers: [Worker::Idle; 2],
            made: Vec::new(),
            answers: BTreeMap::new(),
            loose: Vec::new(),
            reversals: Vec::new(),
            now: START,
            epoch: 1,
            serial: 0,
            flaw,
        }
    }

    const fn moment(&self) -> Moment {
        Moment { at: self.now, epoch: self.epoch }
    }

    const fn next(&mut self) -> u64 {
        self.serial += 1;
        self.serial
    }

    fn name(&mut self) -> Operation {
        let key = self.next().to_string();
        Operation::of_person("issuer", "sub", "POST", "/v1/payouts", &key, b"")
    }

    fn token(&mut self) -> [u8; 16] {
        let mut token = [0; 16];
        token[8..].copy_from_slice(&self.next().to_be_bytes());
        token
    }

    fn pick(&self, which: u8) -> Option<usize> {
        usize::from(which).checked_rem(self.books.payouts.len())
    }

    // The store.

    fn commit(&mut self, at: usize, change: PayoutChange) -> Played {
        let before = &self.books.payouts[at];
        assert_eq!(change.payout.version, before.version + 1);
        self.books.payouts[at] = change.payout;
        self.moved(&change.moves)?;
        self.agree()
    }

    fn moved(&mut self, moves: &[WalletMove]) -> Played {
        for moved in moves {
            let (after, _) = self.books.wallet.moved(moved).map_err(|refusal| format!("{moved:?}: {refusal}"))?;
            self.books.wallet = after;
        }
        Ok(())
    }

    fn outcome(&mut self, at: usize, outcome: Result<PayoutOutcome, PayoutUndecided>) -> Played {
        match outcome {
            Ok(Outcome::Changed(change)) => self.commit(at, *change),
            Ok(Outcome::AlreadyDone) | Err(Undecided::Refused(_)) => Ok(()),
            Err(error @ (Undecided::Misfit(_) | Undecided::Broken(_))) => Err(error.to_string()),
        }
    }

    fn decide(&mut self, at: usize, actor: Actor, operation: Operation, command: PayoutCommand) -> Played {
        let attempt = Attempt { command, actor, operation };
        let decided = payout::decide(&self.books.payouts[at], &attempt, self.moment());
        // What was sent before a restore may be unknown until an operator approves it again.
        let unapproved = self.books.payouts[at].status == PayoutStatus::Approval && self.epoch > 1;
        if unapproved && matches!(decided, Err(Undecided::Misfit(Misfit::TransferUnexpected))) {
            return Ok(());
        }
        self.outcome(at, decided)
    }

    fn operator(&mut self, at: usize, command: PayoutCommand) -> Played {
        let name = self.name();
        self.decide(at, actor(Role::Operator), name, command)
    }

    /// What must hold at every moment.
    fn agree(&self) -> Played {
        let (mut pending, mut gone) = (0, 0);
        for payout in &self.books.payouts {
            verify::check_history(payout).map_err(|error| error.to_string())?;
            let made = self.made.iter().filter(|transfer| transfer.payout == payout.id).count();
            match payout.status {
                _ if made > 1 => return Err(format!("{} was paid {made} times", payout.id)),
                PayoutStatus::Failed | PayoutStatus::Rejected if made > 0 => {
                    return Err(format!("{} is called {}, and was made", payout.id, payout.status));
                }
                PayoutStatus::Paid | PayoutStatus::Returned if made == 0 && payout.rail != Rail::ByHand => {
                    return Err(format!("{} is called paid, and was not made", payout.id));
                }
                PayoutStatus::Paid => gone += payout.money.amount.units() - payout.returned.units(),
                PayoutStatus::Returned | PayoutStatus::Failed | PayoutStatus::Rejected => {}
                PayoutStatus::Approval
                | PayoutStatus::Ready
                | PayoutStatus::Sending
                | PayoutStatus::Owed
                | PayoutStatus::Review => pending += payout.money.amount.units(),
            }
        }
        let wallet = &self.books.wallet;
        if wallet.pending.units() != pending || wallet.withdrawn.units() != gone {
            return Err("the wallet does not hold what the payouts say".to_owned());
        }
        if wallet.balance() + pending + gone != self.books.earned {
            return Err("money appeared or vanished".to_owned());
        }
        Ok(())
    }

    // The workers.

    fn work(&mut self, worker: usize, step: Step) -> Played {
        let doing = std::mem::replace(&mut self.workers[worker], Worker::Idle);
        // It can stop anywhere.
        if !matches!(doing, Worker::Idle) && step.share < 100 {
            return Ok(());
        }
        match doing {
            Worker::Idle => self.begin(worker, step),
            Worker::Claimed { payout, token } => self.send(worker, payout, token, step),
            Worker::LooksUp { payout, token } => {
                let id = self.books.payouts[payout].id;
                let found = self.made.iter().position(|transfer| transfer.payout == id);
                self.workers[worker] = Worker::Asked { payout, token, at: self.moment(), found };
                Ok(())
            }
            Worker::Asked { found: Some(index), .. } => self.tell_sent(index),
            Worker::Asked { payout, token, at, found: None } => self.looked(worker, payout, token, at),
            Worker::Answered { payout, token, at, answer } => self.answered(payout, token, at, answer),
        }
    }

    fn begin(&mut self, worker: usize, step: Step) -> Played {
        let due = |payout: &Payout| matches!(payout.work(self.now), Some(PayoutWork::Send(_)));
        let all: Vec<usize> = (0..self.books.payouts.len()).filter(|at| due(&self.books.payouts[*at])).collect();
        let Some(at) = usize::from(step.which).checked_rem(all.len()).map(|index| all[index]) else { return Ok(()) };
        let (now, wallet) = (self.moment(), self.books.wallet.clone());
        let there = &self.books.payouts[at];
        let life = if self.flaw == Flaw::ForgetsThatKeysEnd { Some(Period::days(365)) } else { KEY_LIFE };
        let looks_up = match there.plan(&wallet, life, now) {
            Plan::Send if wallet.hold.is_some() => return Err("a payout leaves a wallet on hold".to_owned()),
            Plan::Send => false,
            Plan::LookUp => true,
            Plan::Leave => {
                let held = payout::hold_off(there, &wallet, now);
                return self.outcome(at, held);
            }
            Plan::Wait(_) => return Ok(()),
        };
        let token = self.token();
        let claimed = self.books.payouts[at].claim(token, now).map_err(|error| error.to_string())?;
        self.commit(at, claimed)?;
        self.workers[worker] =
            if looks_up { Worker::LooksUp { payout: at, token } } else { Worker::Claimed { payout: at, token } };
        Ok(())
    }

    fn send(&mut self, worker: usize, at: usize, token: [u8; 16], step: Step) -> Played {
        let Some((effect, claim)) = self.books.payouts[at].claimed_by(token) else { return Ok(()) };
        if self.now >= claim.lease_until {
            return Ok(());
        }
        let (key, dies) = (self.books.payouts[at].key(effect), claim.lease_until.after(QUIET));
        if step.share.is_multiple_of(3) {
            // No answer in time: it may still arrive.
            self.loose.push(Loose { payout: at, key, dies });
            return self.put_off(at, token, step.choice.is_multiple_of(2));
        }
        let answer = self.arrive(at, &key, step.choice);
        if step.share.is_multiple_of(5) {
            // It arrived, and the answer is lost.
            return self.put_off(at, token, false);
        }
        self.workers[worker] = Worker::Answered { payout: at, token, at: self.moment(), answer };
        Ok(())
    }

    fn put_off(&mut self, at: usize, token: [u8; 16], look_up_first: bool) -> Played {
        let later = payout::put_off(&self.books.payouts[at], token, look_up_first, self.moment());
        self.outcome(at, later)
    }

    fn looked(&mut self, worker: usize, at: usize, token: [u8; 16], mut asked: Moment) -> Played {
        if self.flaw == Flaw::NoQuietPeriod {
            asked.at = asked.at.after(Period::hours(1));
        }
        if self.books.payouts[at].claimed_by(token).is_none() {
            return Ok(());
        }
        match payout::after_look_up(&self.books.payouts[at], &self.books.wallet, token, asked) {
            Ok(NotFound::LookAgain(change)) => self.commit(at, *change),
            Ok(NotFound::SendAgain(change)) => {
                self.commit(at, *change)?;
                self.workers[worker] = Worker::Claimed { payout: at, token };
                Ok(())
            }
            Err(error) => Err(error.to_string()),
        }
    }

    fn answered(&mut self, at: usize, token: [u8; 16], asked: Moment, answer: Answer) -> Played {
        match answer {
            Answer::Made(index) => self.tell_sent(index),
            Answer::Broken => self.put_off(at, token, true),
            Answer::NotNow => {
                let later = payout::refused_for_now(&self.books.payouts[at], token, "not now", asked);
                self.outcome(at, later)
            }
            Answer::Refused => {
                let there = &self.books.payouts[at];
                let Some((effect, claim)) = there.claimed_by(token) else { return Ok(()) };
                if !claim.refusal_is_final(asked.at) && self.flaw != Flaw::BelievesEveryRefusal {
                    return self.put_off(at, token, true);
                }
                let (key, whole) = (there.key(effect), there.money);
                let operation = Operation::of_gateway(STRIPE, &key, "refused");
                let outcome = TransferOutcome::Failed("no".to_owned());
                let fact = PayoutFact::Transfer { gateway: STRIPE, reference: key, money: whole, outcome };
                self.decide(at, Actor::gateway(), operation, PayoutCommand::Fact(fact))
            }
        }
    }

    // People.

    fn ask(&mut self, step: Step) -> Played {
        if self.books.payouts.len() >= 4 {
            return Ok(());
        }
        let limits = PayoutLimits { minimum: minor(100), approval_above: Some(minor(40_000)) };
        let rail = if step.choice.is_multiple_of(8) { Rail::ByHand } else { by_stripe() };
        let id = PayoutId::derive("r", "i", "s", &self.next().to_string());
        let new = NewPayout {
            id,
            owner: user("usr_seller"),
            money: money(i64::from(step.share) * 100 + 1),
            rail,
            tied_to: None,
        };
        let name = self.name();
        match payout::ask(&new, &self.books.wallet, &limits, actor(Role::Seller), name, self.moment()) {
            Ok(change) => {
                self.books.payouts.push(change.payout);
                self.moved(&change.moves)?;
                // A backup that does not know it is no more used: it would be asked for again, under another name.
                self.backup = None;
                self.agree()
            }
            Err(Undecided::Refused(_)) => Ok(()),
            Err(error @ (Undecided::Misfit(_) | Undecided::Broken(_))) => Err(error.to_string()),
        }
    }

    /// An operator who looks before deciding.
    fn operate(&mut self, at: usize, choice: u8) -> Played {
        let reason = || "looked".to_owned();
        let there = &self.books.payouts[at];
        match there.status {
            PayoutStatus::Approval if choice.is_multiple_of(4) && self.made_of(at).is_none() => {
                self.operator(at, PayoutCommand::Reject { reason: reason() })
            }
            PayoutStatus::Approval => self.operator(at, PayoutCommand::Approve { reason: None }),
            PayoutStatus::Owed if choice.is_multiple_of(2) => {
                self.operator(at, PayoutCommand::MarkFailed { reason: reason() })
            }
            PayoutStatus::Owed => self.operator(at, PayoutCommand::MarkPaid { reference: reason() }),
            PayoutStatus::Review => {
                let resolution = match (self.made_of(at), self.is_alive(at), choice % 2) {
                    (Some(_), _, _) => PayoutResolution::Done,
                    (None, true, _) => return Ok(()),
                    (None, false, 0) => PayoutResolution::Failed,
                    (None, false, _) => PayoutResolution::Retry,
                };
                self.operator(at, PayoutCommand::Resolve { resolution, reason: reason() })
            }
            PayoutStatus::Ready
            | PayoutStatus::Sending
            | PayoutStatus::Paid
            | PayoutStatus::Returned
            | PayoutStatus::Failed
            | PayoutStatus::Rejected => Ok(()),
        }
    }

    fn made_of(&self, at: usize) -> Option<usize> {
        let id = self.books.payouts[at].id;
        self.made.iter().position(|transfer| transfer.payout == id)
    }

    fn is_alive(&self, at: usize) -> bool {
        self.loose.iter().any(|loose| loose.payout == at)
    }

    fn credit(&mut self, kind: LineKind, units: i64) -> Played {
        let of = MovedBy::Escrow(EscrowId::derive("r", "i", "s", "k"));
        let amount = minor(units);
        let moved = WalletMove { owner: user("usr_seller"), currency: sar(), amount, kind, of, entry: 0, at: self.now };
        self.books.earned += if kind == LineKind::Chargeback { -units } else { units };
        self.moved(&[moved])?;
        self.agree()
    }

    fn wait(&mut self, period: Period) -> Played {
        self.now = self.now.after(period);
        let now = self.now;
        self.loose.retain(|loose| now < loose.dies);
        self.agree()
    }

    /// The table is restored from the backup: the workers are gone, the epoch is raised, and it takes its time.
    fn restore(&mut self) -> Played {
        let Some(books) = self.backup.clone() else { return Ok(()) };
        if books.payouts.len() != self.books.payouts.len() {
            return Ok(());
        }
        self.workers = [Worker::Idle; 2];
        self.books = books;
        self.epoch += 1;
        self.now = self.now.after(LEASE).after(QUIET);
        self.loose.clear();
        Ok(())
    }

    fn take(&mut self, step: Step) -> Played {
        let at = self.pick(step.which);
        match (step.kind, at) {
            (0 | 1, _) => self.ask(step),
            (2..=9, _) => self.work(0, step),
            (10..=15, _) => self.work(1, step),
            (16, Some(at)) => self.operate(at, step.choice),
            (17, _) => {
                let reason = step.choice.is_multiple_of(4).then_some("a break");
                self.books.wallet = self.books.wallet.held(reason).map_err(|error| error.to_string())?;
                Ok(())
            }
            (18, _) => self.credit(LineKind::Release, i64::from(step.share) * 50 + 1),
            (19, _) if step.choice.is_multiple_of(4) => {
                self.credit(LineKind::Chargeback, i64::from(step.share) * 50 + 1)
            }
            (20, Some(at)) => {
                let name = self.name();
                self.decide(at, Actor::clock(), name, PayoutCommand::Tick)
            }
            (21 | 22, _) => match usize::from(step.which).checked_rem(self.loose.len()) {
                Some(index) => {
                    let Loose { payout, key, .. } = self.loose.remove(index);
                    self.arrive(payout, &key, step.choice);
                    self.agree()
                }
                None => Ok(()),
            },
            (23, _) => match usize::from(step.which).checked_rem(self.made.len()) {
                Some(index) => self.tell_sent(index),
                None => Ok(()),
            },
            (24, _) => {
                let Some(index) = usize::from(step.which).checked_rem(self.made.len()) else { return Ok(()) };
                let transfer = &mut self.made[index];
                let more = (transfer.units - transfer.reversed).min(i64::from(step.share) * 60);
                if more > 0 {
                    transfer.reversed += more;
                    self.reversals.push((index, transfer.reversed));
                }
                Ok(())
            }
            (25, _) => match usize::from(step.which).checked_rem(self.reversals.len()) {
                Some(index) => self.tell_reversed(self.reversals[index]),
                None => Ok(()),
            },
            (26, _) if step.share < 300 => {
                self.backup = Some(self.books.clone());
                Ok(())
            }
            (27, _) if step.share < 100 => self.restore(),
            (28 | 29, _) => self.wait(Period::minutes(u32::from(step.choice % 3))),
            (30, _) => self.wait(Period::minutes(u32::from(step.choice % 20))),
            (31, _) => self.wait(Period::hours(u32::from(step.choice % 40))),
            (32 | 33, _) => {
                let due = self.books.payouts.iter().filter_map(Payout::due_at).min();
                self.wait(due.map_or(Period::ZERO, |due| due.since(self.now)))
            }
            _ => Ok(()),
        }
    }

    /// From anywhere: with workers, an operator and a gateway that do their work, everything comes to its end by itself.
    fn settle(&mut self) -> Played {
        self.wait(QUIET.plus(LEASE))?;
        self.books.wallet = self.books.wallet.held(None).map_err(|error| error.to_string())?;
        self.workers = [Worker::Idle; 2];
        self.loose.clear();
        for _round in 0..3_000 {
            for at in 0..self.books.payouts.len() {
                self.operate(at, 1)?;
                let which = u8::try_from(at).map_err(|_| "too many")?;
                for _step in 0..4 {
                    self.work(0, Step { kind: 0, which, choice: 0, share: 998 })?;
                }
                let name = self.name();
                self.decide(at, Actor::clock(), name, PayoutCommand::Tick)?;
            }
            match self.books.payouts.iter().filter_map(Payout::due_at).min() {
                Some(due) => self.wait(due.since(self.now))?,
                None => break,
            }
        }
        for index in 0..self.made.len() {
            self.tell_sent(index)?;
        }
        for reversal in self.reversals.clone() {
            self.tell_reversed(reversal)?;
        }
        for (at, payout) in self.books.payouts.iter().enumerate() {
            if payout.status.is_open() {
                return Err(format!("a payout never ends: {payout:?}"));
            }
            let back = self.made_of(at).map_or(payout.returned.units(), |index| self.made[index].reversed);
            if payout.returned.units() != back {
                return Err("what came back is not what the gateway gave back".to_owned());
            }
        }
        self.agree()
    }
}

fn play(steps: &[Step], flaw: Flaw) -> Played {
    let mut world = World::new(flaw);
    for step in steps {
        world.take(*step)?;
    }
    world.settle()
}

fn lives(cases: u32, flaw: Flaw) -> Result<(), String> {
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 2_000, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let steps = proptest::collection::vec(step(), 1..150);
    runner.run(&steps, |steps| play(&steps, flaw).map_err(TestCaseError::fail)).map_err(|error| match error {
        TestError::Fail(why, steps) => format!("{why}: {steps:#?}"),
        TestError::Abort(why) => why.to_string(),
    })
}

#[test]
fn in_no_life_is_anybody_paid_twice_and_everything_ends() {
    lives(cases(), Flaw::None).unwrap();
}

#[test]
fn a_life_finds_what_a_flawed_worker_does() {
    for flaw in [Flaw::NoQuietPeriod, Flaw::BelievesEveryRefusal, Flaw::ForgetsThatKeysEnd] {
        let found = lives(20_000, flaw).expect_err(&format!("{flaw:?} is not found"));
        assert!(
            found.contains("times") || found.contains("was made") || found.contains("does not expect"),
            "{flaw:?}: {found}"
        );
    }
}
