//! Any sequence of commands, facts (in disorder, doubled), work and time, over deals of one to five milestones with any fees: after
//! every step the money adds up, and in the end everything can be settled.

use crate::fixture::{Deal, Offer, START, actor, coin, minor, name_of, new_payment, piece, sar, told_of, user};
use escrow_domain::actions::Scopes;
use escrow_domain::chargeback::ChargebackStatus;
use escrow_domain::command::{Attempt, Command, Fact, RefundOutcome, Resolution};
use escrow_domain::decide::{self, Outcome};
use escrow_domain::dispute::{DisputeStatus, Proposal};
use escrow_domain::effect::{Progress, Task};
use escrow_domain::fees::{self, Fee};
use escrow_domain::id::{GatewayName, Operation};
use escrow_domain::lifecycle::{Role, Stage, Transition};
use escrow_domain::milestone::{Ask, AskFor};
use escrow_domain::money::{Minor, Money};
use escrow_domain::payment::{RefundStatus, Source};
use escrow_domain::policy::{DisputeDefault, Kind, LONGEST_EXTENSION, Policy};
use escrow_domain::refusal::Undecided;
use escrow_domain::time::Period;
use escrow_domain::work::{self, NotFound, Plan, Work};
use proptest::prelude::*;
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};
use std::cell::RefCell;
use std::collections::BTreeMap;

/// How many cases: 10 000, or what `PROPTEST_CASES` says.
#[expect(clippy::disallowed_methods, reason = "how long a test runs is said by whoever runs it")]
pub(crate) fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(10_000)
}

/// One thing that happens; its numbers choose among what is there.
#[derive(Clone, Copy, Debug)]
struct Step {
    kind: u8,
    part: u8,
    choice: u8,
    share: u16,
}

fn step() -> impl Strategy<Value = Step> {
    (0_u8..50, any::<u8>(), any::<u8>(), 0_u16..=1_000).prop_map(|(kind, part, choice, share)| Step {
        kind,
        part,
        choice,
        share,
    })
}

fn offer() -> impl Strategy<Value = Offer> {
    let milestone = (1_i64..2_000_000, 0_i64..=1_000, 0_i64..=1_000);
    let milestones = proptest::collection::vec(milestone, 1..=5);
    (0_usize..3, milestones, 1_usize..=5, any::<bool>(), 0_u32..20, 0_u8..7, 1_i64..3_000_000).prop_map(
        |(kind, milestones, pays, default, days, source, halalas)| {
            let kind = Kind::ALL[kind];
            let mut policy = Policy::defaults(kind);
            if default {
                policy.dispute_default = DisputeDefault::ReleaseSeller;
            }
            policy.auto_release_after = policy.auto_release_after.plus(Period::days(days));
            let milestones: Vec<_> = milestones
                .into_iter()
                .map(|(amount, buyer, seller)| {
                    (amount, Fee { buyer: minor(amount * buyer / 1_000), seller: minor(amount * seller / 1_000) })
                })
                .collect();
            let pays = (0..u8::try_from(pays.min(milestones.len())).unwrap()).collect();
            let offer = Offer { policy, milestones, pays, ..Offer::of(kind) };
            match source {
                0 => offer.paid_by_wallet(),
                1 => Offer { unit: coin(), ..offer.paid_by_wallet() },
                2 | 3 => offer.in_coins(halalas),
                _ => offer,
            }
        },
    )
}

/// A run: the deal, and every operation that was committed, to be tried again.
struct Run {
    deal: Deal,
    done: Vec<Attempt>,
    serial: u32,
}

fn share(whole: Minor, permille: u16) -> Minor {
    whole.share(minor(i64::from(permille)), minor(1_000)).unwrap()
}

fn at<T: Copy>(list: &[T], choice: u8) -> T {
    list[usize::from(choice) % list.len()]
}

impl Run {
    fn milestone(&self, part: u8) -> u8 {
        part % u8::try_from(self.deal.escrow.milestones.len()).unwrap()
    }

    fn payment(&self, part: u8) -> u16 {
        u16::from(part) % u16::try_from(self.deal.escrow.payments.len()).unwrap()
    }

    fn refund(&self, part: u8) -> Option<u16> {
        let refunds = u16::try_from(self.deal.escrow.refunds.len()).unwrap();
        u16::from(part).checked_rem(refunds)
    }

    fn command(&mut self, role: Role, command: Command) {
        self.serial += 1;
        let key = format!("key-{}", self.serial);
        let operation = Operation::of_person("issuer", role.as_str(), "POST", "/v1/x", &key, b"{}");
        self.attempt(Attempt { command, actor: actor(role), operation });
    }

    fn fact(&mut self, fact: Fact) {
        let operation = name_of(&fact);
        self.attempt(Attempt { command: Command::Fact(fact), actor: actor(Role::Gateway), operation });
    }

    /// Decides and commits; whatever was committed as an entry is done by then, and stays done.
    fn attempt(&mut self, attempt: Attempt) {
        let before = self.deal.escrow.clone();
        match decide::decide(&before, &attempt, self.deal.moment()) {
            Ok(Outcome::Changed(change)) => {
                if let Some(sub) = &attempt.actor.sub {
                    let scopes = Scopes { arbiter: true, operator: true, ..Scopes::default() };
                    let scopes = if sub.as_str().starts_with("usr_buyer") || sub.as_str().starts_with("usr_seller") {
                        Scopes::default()
                    } else {
                        scopes
                    };
                    let did = change.escrow.journal.entries.last().unwrap().transition;
                    let actions = before.actions(&before.standing(&user(sub.as_str()), scopes), self.deal.now);
                    if let Some(action) = actions.iter().find(|action| action.transition == did) {
                        assert_eq!(action.refusal, None, "what was done was said to be allowed: {did}");
                    }
                }
                self.deal.commit(*change);
                if self.deal.escrow.journal.len() > before.journal.len() {
                    self.done.push(attempt.clone());
                }
                self.check(&before, attempt.actor.role);
                self.deal.escrow.journal.operations.contains(&attempt.operation).then(|| self.replay(&attempt));
            }
            Ok(Outcome::AlreadyDone) | Err(Undecided::Refused(_) | Undecided::Misfit(_)) => {}
            Err(Undecided::Broken(broken)) => panic!("{broken}: {attempt:?} on {before:?}"),
        }
    }

    fn replay(&self, attempt: &Attempt) {
        let again = decide::decide(&self.deal.escrow, attempt, self.deal.moment());
        match again {
            Ok(Outcome::AlreadyDone) => {}
            // A page that is closed may be told so twice, when closing it was promised in between.
            Ok(Outcome::Changed(change)) => {
                assert!(matches!(attempt.command, Command::Fact(Fact::Closed { .. })));
                assert_eq!(change.escrow.journal, self.deal.escrow.journal, "a replay moves nothing");
                assert_eq!(change.escrow.milestones, self.deal.escrow.milestones, "a replay moves nothing");
            }
            Err(why) => panic!("a replay is answered, not refused: {why}"),
        }
    }

    fn check(&self, before: &escrow_domain::escrow::Escrow, role: Role) {
        let after = &self.deal.escrow;
        for (old, new) in before.milestones.iter().zip(&after.milestones) {
            assert!(new.money.released >= old.money.released, "what the seller has is never taken back here");
            let person_or_clock = !matches!(role, Role::Gateway | Role::Operator);
            if old.stage().is_final() && person_or_clock {
                assert_eq!(old.money, new.money, "what is final stays for people and the clock");
            }
            if new.stage().is_final() {
                assert!(new.fee_held().unwrap().is_zero(), "no fee is left beside an empty milestone");
            }
            assert!(new.extended <= LONGEST_EXTENSION);
            let asks_in: &[Stage] = match new.asked.map(|ask| ask.what) {
                None => Stage::ALL,
                // Of a part that is not disputed.
                Some(AskFor::Cancel) => &[Stage::Held, Stage::Disputed],
                Some(AskFor::Extend(_)) => &[Stage::Held, Stage::Delivered, Stage::Disputed],
            };
            assert!(asks_in.contains(&new.stage()), "an ask lapses with its stage: {new:?}");
        }
        for dispute in &after.disputes {
            let locked = after.milestones[usize::from(dispute.milestone)].money.disputed;
            let stands = |offer: Proposal| match dispute.status {
                DisputeStatus::Open => offer.to_buyer <= locked,
                DisputeStatus::Settled => dispute.to_buyer == Some(offer.to_buyer),
                _ => false,
            };
            assert!(dispute.proposal.is_none_or(stands), "an offer lapses with what it divides: {dispute:?}");
        }
        for (number, payment) in (0_u16..).zip(&after.payments) {
            for (index, capture) in (0_u8..).zip(&payment.captures) {
                let live = after.refunds.iter().filter(|refund| {
                    (refund.payment, refund.capture) == (number, index)
                        && !matches!(refund.status, RefundStatus::Failed | RefundStatus::Replaced)
                });
                let live = Minor::sum(live.map(|refund| refund.amount)).unwrap();
                let most = if capture.applied { payment.amount } else { capture.amount };
                let lost = after.chargebacks.iter().filter(|lost| (lost.payment, lost.capture) == (number, index));
                let lost: i64 = lost.map(|lost| lost.of_escrow.units()).sum();
                assert!(live.units() + lost <= most.units(), "more goes back than was captured");
            }
        }
        for (number, payment) in (0_u16..).zip(&after.payments) {
            let of_payment = after.chargebacks.iter().filter(|one| one.payment == number);
            let borne = Minor::sum(of_payment.clone().map(|one| one.of_seller)).unwrap();
            let milestones = payment.milestones.iter().map(|index| &after.milestones[usize::from(*index)]);
            let received = milestones.map(|milestone| {
                let fee = fees::taken(milestone.fee.seller, milestone.money.released, milestone.amount).unwrap();
                milestone.money.released.minus(fee).unwrap()
            });
            assert!(borne <= Minor::sum(received).unwrap(), "the seller gives back no more than was received");
            for one in of_payment.filter(|_| payment.pay_in.is_none()) {
                let borne = Minor::sum([one.of_escrow, one.of_seller, one.of_buyer]).unwrap();
                assert!(borne <= one.amount, "no more is borne than was lost");
                assert!(one.status == ChargebackStatus::Lost || borne.is_zero(), "and only what was lost");
            }
        }
        if !after.freezes.is_empty() {
            let left = |escrow: &escrow_domain::escrow::Escrow| {
                Minor::sum(escrow.milestones.iter().map(|milestone| milestone.money.released)).unwrap()
            };
            assert!(before.freezes.is_empty() || left(before) == left(after), "a freeze lets nothing out");
        }
    }

    fn people(&mut self, step: Step) {
        let index = self.milestone(step.part);
        let (milestone, there) = (Some(index), self.deal.escrow.milestones[usize::from(index)].money);
        let part = |whole: Minor| {
            let part = share(whole, step.share);
            if step.choice.is_multiple_of(2) || part.is_zero() { None } else { Some(part) }
        };
        let (held, reason) = (part(there.held), Some("because".to_owned()));
        let either = at(&[Role::Buyer, Role::Seller, Role::Operator], step.choice);
        match step.kind {
            0..=2 => self.command(Role::Seller, Command::Deliver { milestone, note: None }),
            3..=5 => {
                let reason = "broken".to_owned();
                self.command(Role::Buyer, Command::Dispute { milestone, amount: held, reason, evidence: Vec::new() });
            }
            6 | 7 => self.command(
                at(&[Role::Buyer, Role::Operator], step.part / 8),
                Command::Release { milestone, amount: held, reason },
            ),
            8 | 9 => self.command(
                at(&[Role::Seller, Role::Operator], step.part / 8),
                Command::Refund { milestone, amount: held, reason },
            ),
            10 => self.command(Role::Buyer, Command::RequestChanges { milestone, note: None }),
            11 => self.command(Role::Buyer, Command::WithdrawDispute { milestone }),
            12 | 13 => {
                let to_buyer = share(there.disputed, step.share);
                self.command(Role::Arbiter, Command::Rule { milestone, to_buyer, reason: "half".to_owned() });
            }
            14 => self.command(either, Command::Cancel { milestone: None, reason }),
            30.. => self.command(Role::Buyer, Command::Cancel { milestone: None, reason }),
            15 => {
                let overlay = Command::Freeze { reason: "suspicion".to_owned() };
                let lift = Command::Unfreeze { reason: "cleared".to_owned() };
                self.command(Role::Operator, if step.choice.is_multiple_of(3) { overlay } else { lift });
            }
            16 | 17 => {
                let resolution = at(&[Resolution::Done, Resolution::Retry, Resolution::CreditWallet], step.choice);
                self.command(Role::Operator, Command::Resolve { resolution, reason: "looked".to_owned() });
            }
            _ => {
                let expires_at = self.deal.now.after(Period::hours(24));
                let mut milestones = vec![self.milestone(step.part)];
                if step.choice.is_multiple_of(3) && self.milestone(step.choice) != milestones[0] {
                    milestones.push(self.milestone(step.choice));
                }
                let mut payment = new_payment(&milestones, expires_at);
                if step.part.is_multiple_of(4) {
                    payment.source = Source::Wallet;
                } else if self.deal.escrow.terms.currency != sar() {
                    payment.pay_in = Some(minor(i64::from(step.share) + 1).of(sar()));
                }
                self.command(Role::Buyer, Command::AddPayment(payment));
            }
        }
    }

    /// What the sides say to each other.
    fn sides(&mut self, step: Step) {
        let index = self.milestone(step.part);
        let there = self.deal.escrow.milestones[usize::from(index)].clone();
        let milestone = Some(index);
        let one = at(&[Role::Buyer, Role::Seller], step.choice);
        let other = |role| if role == Role::Buyer { Role::Seller } else { Role::Buyer };
        match step.kind {
            40 | 41 => {
                let open = self.deal.escrow.disputes.iter().filter(|dispute| dispute.is_open());
                let disputed: Vec<u8> = open.map(|dispute| dispute.milestone).collect();
                if disputed.is_empty() {
                    return;
                }
                let index = at(&disputed, step.part);
                let locked = self.deal.escrow.milestones[usize::from(index)].money.disputed;
                let to_buyer = share(locked, step.share);
                self.command(one, Command::Propose { milestone: Some(index), to_buyer });
                if step.share.is_multiple_of(2) {
                    self.sides(Step { kind: 42, ..step });
                }
            }
            42 | 43 => {
                let mut offers = self.deal.escrow.disputes.iter().filter_map(|dispute| dispute.proposal);
                let Some(offer) = offers.next_back() else { return };
                // Most accept what the other side offers; some, what is their own, or was replaced.
                let number = if step.kind == 43 { offer.number.wrapping_sub(1) % 500 } else { offer.number };
                let by = if step.choice.is_multiple_of(8) { offer.by } else { other(offer.by) };
                let offers: Vec<u16> = offers.map(|offer| offer.number).collect();
                let before = self.deal.escrow.version;
                self.command(by, Command::Accept { proposal: number });
                let stands = number == offer.number || offers.contains(&number);
                assert!(stands || self.deal.escrow.version == before, "nobody accepts what was replaced");
            }
            44 => {
                let evidence = vec![piece(); usize::from(step.share % 4) + 1];
                self.command(one, Command::AddEvidence { milestone, evidence });
            }
            45 | 46 => {
                let until = there.deadline().map(|at| at.after(Period::hours(u32::from(step.share))));
                self.command(one, Command::Extend { milestone, until, reason: None });
            }
            47 => {
                self.command(one, Command::Cancel { milestone, reason: None });
                if step.share.is_multiple_of(2) {
                    self.command(other(one), Command::Cancel { milestone, reason: None });
                }
            }
            _ => match there.asked {
                None => {}
                Some(Ask { by, what: AskFor::Cancel, .. }) => {
                    self.command(other(by), Command::Cancel { milestone, reason: None });
                }
                Some(Ask { by, what: AskFor::Extend(_), .. }) => {
                    self.command(other(by), Command::Extend { milestone, until: None, reason: None });
                }
            },
        }
    }

    fn gateway(&mut self, step: Step) {
        let payment = self.payment(step.part);
        match step.kind {
            19..=21 => {
                let fact = self.deal.capture_of(payment, &format!("pi_{payment}_{}", step.choice % 12 / 10));
                self.fact(fact);
            }
            22 => {
                let processing = step.choice.is_multiple_of(3);
                self.fact(if processing {
                    Fact::Processing { payment, gateway: GatewayName::Stripe }
                } else {
                    Fact::Closed { payment, gateway: GatewayName::Stripe }
                });
            }
            23..=25 => {
                let Some(refund) = self.refund(step.part) else { return };
                let outcome = match step.choice % 4 {
                    0 => RefundOutcome::Pending,
                    1 => RefundOutcome::Failed("no such account".to_owned()),
                    _ => RefundOutcome::Succeeded,
                };
                self.fact(self.deal.refund_told(refund, outcome));
            }
            26 => {
                let payment = &self.deal.escrow.payments[usize::from(payment)];
                let Some(capture) = payment.captures.first() else { return };
                let unit = payment.charged(self.deal.escrow.terms.currency).currency;
                let total = Money { amount: share(capture.amount, step.share), currency: unit };
                let capture = capture.id.clone();
                // Some are told late: of before anything failed.
                let told_at = if step.part.is_multiple_of(3) { START } else { self.deal.now };
                self.fact(Fact::CaptureRefunded { gateway: GatewayName::Stripe, capture, total, told_at });
            }
            _ => self.chargeback(step, payment),
        }
    }

    /// Something is told of one of two chargebacks of one of the payment's captures.
    fn chargeback(&mut self, step: Step, number: u16) {
        let payment = &self.deal.escrow.payments[usize::from(number)];
        let Some(capture) = payment.captures.get(usize::from(step.part / 32) % 2).or(payment.captures.first()) else {
            return;
        };
        let unit = payment.charged(self.deal.escrow.terms.currency).currency;
        // The same name always tells of the same amount.
        let amount = if step.choice.is_multiple_of(2) { capture.amount } else { share(capture.amount, 377) };
        let amount = amount.max(minor(1));
        let chargeback = told_of(&format!("du_{}_{}", capture.id, step.choice % 2), &capture.id, amount.of(unit));
        let moved = chargeback.money;
        self.fact(match step.share % 5 {
            0 => Fact::ChargebackOpened { chargeback, reason: "fraudulent".to_owned() },
            1 | 2 => Fact::ChargebackFunds { chargeback, moved, back: step.share % 5 == 2 },
            _ => Fact::ChargebackClosed { chargeback, won: step.part.is_multiple_of(4) },
        });
    }

    /// The bank decides about every chargeback that is open.
    fn close_chargebacks(&mut self) {
        for open in self.deal.escrow.chargebacks.clone() {
            let payment = &self.deal.escrow.payments[usize::from(open.payment)];
            let capture = payment.captures[usize::from(open.capture)].id.clone();
            let unit = payment.charged(self.deal.escrow.terms.currency).currency;
            let chargeback = told_of(&open.reference, &capture, open.amount.of(unit));
            let won = open.opened_at.as_millis() % 2 == 0;
            self.fact(Fact::ChargebackClosed { chargeback, won });
        }
    }

    fn pages(&mut self, step: Step) {
        let payment = self.payment(step.part);
        if self.deal.escrow.payments[usize::from(payment)].source == Source::Wallet {
            return;
        }
        let until = self.deal.escrow.payments[usize::from(payment)].expires_at;
        let page = format!("cs_{payment}");
        let outcome = if step.choice.is_multiple_of(8) {
            decide::checkout_refused(&self.deal.escrow, payment, self.deal.moment())
        } else {
            decide::checkout_opened(
                &self.deal.escrow,
                payment,
                &page,
                &crate::fixture::page("https://pay"),
                until,
                self.deal.moment(),
            )
        };
        self.deal.commit_if_changed(outcome.unwrap());
    }

    /// A worker takes what is due a step further, in any of the ways in which that can end.
    fn work(&mut self, step: Step) {
        let due = self.deal.escrow.work(self.deal.now);
        let Some(next) = due.get(usize::from(step.part).checked_rem(due.len()).unwrap_or(0)).copied() else { return };
        let now = self.deal.moment();
        let effect = match next {
            Work::LookUpRefund(number) => {
                let outcome = work::still_pending(&self.deal.escrow, number, now).unwrap();
                self.deal.commit_if_changed(outcome);
                return;
            }
            Work::Effect(effect) => effect,
        };
        let plan = self.deal.escrow.plan(&effect, Some(Period::hours(20)), now);
        if !matches!(plan, Plan::Send | Plan::LookUp) {
            return;
        }
        let token = [step.choice; 16];
        let claimed = self.deal.escrow.claim(effect.task, token, now).unwrap();
        self.deal.commit(claimed);
        let outcome = match (plan, step.choice % 4, effect.task) {
            (_, 0, _) => return,
            (Plan::LookUp, _, task) => {
                match work::after_look_up(&self.deal.escrow, task, token, now).unwrap() {
                    NotFound::LookAgain(change) | NotFound::SendAgain(change) => self.deal.commit(*change),
                }
                return;
            }
            (_, 1, Task::Refund(number)) => work::doubt(&self.deal.escrow, number, "nobody can tell", now),
            (_, _, task) => work::put_off(&self.deal.escrow, task, token, step.choice.is_multiple_of(2), now),
        };
        self.deal.commit_if_changed(outcome.unwrap());
    }

    fn take(&mut self, step: Step) {
        match step.kind {
            0..=18 => self.people(step),
            19..=27 => self.gateway(step),
            28 => self.pages(step),
            29 | 33 => self.work(step),
            30 | 31 => self.people(step),
            34 | 35 => self.people(Step { kind: 18, ..step }),
            36 => self.gateway(Step { kind: 26, ..step }),
            40.. => self.sides(step),
            32 => {
                if let Some(attempt) = self.done.get(usize::from(step.part) % self.done.len().max(1)) {
                    self.replay(attempt);
                }
            }
            _ => {}
        }
        if (37..40).contains(&step.kind) || step.share.is_multiple_of(3) {
            let due = self.deal.escrow.due_at().map_or(Period::ZERO, |due| due.since(self.deal.now));
            let just_before = Period::from_millis(due.as_millis() - 1);
            let hours = Period::hours(u32::from(step.share));
            let wait = at(&[Period::ZERO, just_before, due, due, Period::from_millis(1), hours], step.choice);
            let before = self.deal.escrow.clone();
            self.deal.wait(wait).tick();
            self.check(&before, Role::Clock);
            // What it gave to a wallet in demand lands with the next.
            if self.deal.defers {
                self.deal.tick();
            }
            assert!(!self.deal.tick(), "a tick leaves nothing for another at the same moment");
        }
    }

    /// From anywhere: with an operator who answers and a gateway that works, everything comes to its end by itself.
    fn settle(&mut self) {
        for _ in 0..400 {
            if !self.deal.escrow.freezes.is_empty() {
                self.command(Role::Operator, Command::Unfreeze { reason: "over".to_owned() });
                self.close_chargebacks();
            }
            if !self.deal.escrow.reviews.is_empty() {
                let before = self.deal.escrow.reviews.len();
                let done = Command::Resolve { resolution: Resolution::Done, reason: "by hand".to_owned() };
                self.command(Role::Operator, done);
                assert!(self.deal.escrow.reviews.len() < before, "an operator has a way out: {:#?}", self.deal.escrow);
            }
            for due in self.deal.escrow.work(self.deal.now) {
                match due {
                    Work::LookUpRefund(refund) => {
                        self.fact(self.deal.refund_told(refund, RefundOutcome::Succeeded));
                    }
                    Work::Effect(effect) => self.carry_out(effect.task),
                }
            }
            match self.deal.escrow.due_at() {
                None => break,
                Some(due) => self.deal.now = self.deal.now.max(due),
            };
            self.deal.tick();
        }
        assert!(self.deal.escrow.is_settled(), "it never ends: {:?}", self.deal.escrow);
        assert_eq!(self.deal.escrow.due_at(), None);
        let ledger = self.deal.ledger();
        assert_eq!(ledger.get("escrow"), None, "nothing is left in the escrow");
        for (account, units) in &ledger {
            let over = ["refunds:", "unapplied:", "credits:"].iter().all(|begins| !account.starts_with(begins));
            assert!(over, "nothing is left on its way: {account} {units}");
        }
        for name in ["usr_buyer", "usr_seller"] {
            let booked = ledger.get(&format!("wallet:{name}")).copied().unwrap_or(0);
            assert_eq!(-booked, self.deal.in_wallet(name), "the wallet of {name} has what the ledger says");
        }
        let plain = self.deal.escrow.payments.iter().flat_map(|payment| &payment.captures);
        let mut chargebacks = self.deal.escrow.chargebacks.iter();
        if plain.clone().all(|capture| capture.unasked.is_zero()) && chargebacks.all(|one| one.of_escrow.is_zero()) {
            let mut earned = Minor::ZERO;
            for milestone in &self.deal.escrow.milestones {
                for fee in [milestone.fee.buyer, milestone.fee.seller] {
                    earned =
                        earned.plus(fees::taken(fee, milestone.money.released, milestone.amount).unwrap()).unwrap();
                }
            }
            assert_eq!(ledger.get("fees").copied().unwrap_or(0), -earned.units(), "the fee is exactly the fee");
        }
    }

    fn carry_out(&mut self, task: Task) {
        match task {
            Task::ClosePayment(payment) => self.fact(Fact::Closed { payment, gateway: GatewayName::Stripe }),
            Task::Refund(refund) => {
                let effect = self.deal.escrow.effect(task).unwrap();
                if matches!(effect.progress, Progress::InDoubt(_)) || self.deal.escrow.is_stopped() {
                    return;
                }
                self.fact(self.deal.refund_told(refund, RefundOutcome::Succeeded));
            }
        }
    }
}

#[test]
fn whatever_happens_the_money_adds_up_and_everything_can_end() {
    let config =
        ProptestConfig { failure_persistence: None, max_shrink_iters: 20_000, ..ProptestConfig::with_cases(cases()) };
    let happened = RefCell::new(BTreeMap::<Transition, u32>::new());
    let sequences = (offer(), 0_u8..8, proptest::collection::vec(step(), 1..40));
    let outcome = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha)).run(
        &sequences,
        |(offer, paid, steps)| {
            let mut run = Run { deal: Deal::created(&offer), done: Vec::new(), serial: 0 };
            run.deal.defers = paid % 3 == 1;
            if paid > 0 && offer.source != Source::Wallet {
                run.deal.page_opened().paid();
            }
            for step in steps {
                run.take(step);
            }
            for attempt in &run.done {
                run.replay(attempt);
            }
            run.settle();
            for entry in run.deal.history() {
                *happened.borrow_mut().entry(entry.transition).or_default() += 1;
            }
            Ok(())
        },
    );
    if let Err(failure) = outcome {
        panic!("{failure}");
    }
    // A run in which something never happened proves nothing about it.
    let happened = happened.into_inner();
    for transition in Transition::ALL {
        let times = happened.get(transition).copied().unwrap_or(0);
        assert!(times >= cases() / 200, "{transition} happened only {times} times: {happened:#?}");
    }
}
