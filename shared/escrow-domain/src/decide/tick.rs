//! The clock: every deadline of an escrow, the earliest thing that must happen next, and what happens when it is due.

use super::closing::close_payments;
use super::draft::{Draft, Moment};
use super::{Outcome, deferred, disputes};
use crate::effect::{Progress, Task};
use crate::escrow::Escrow;
use crate::id::Operation;
use crate::journal::{Actor, Part};
use crate::lifecycle::{Stage, Transition};
use crate::milestone::{Bucket, Ended, Milestone};
use crate::payment::{Payment, PaymentStatus, RefundStatus};
use crate::policy::{ABANDONED_AFTER, LONGEST_PROCESSING, REMINDED_BEFORE};
use crate::refusal::Undecided;
use crate::stop::ALARM_EVERY;
use crate::time::Timestamp;

/// So often a tick moves wallets at the most. Each time is a line of a statement, and a transaction has a hundred items at the most
/// (Amazon DynamoDB API Reference, `TransactWriteItems`). What is left is due, and the next tick's.
const MOST_MOVES: usize = 80;

/// A deadline, and what it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Timer {
    at: Timestamp,
    what: Due,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    /// The oldest credit that was put off lands.
    Credit,
    Expire(u8),
    Abandon(u8),
    AutoRelease(u8),
    MissDelivery(u8),
    DefaultDispute(u16),
    /// That what is held of a milestone will be released, or go back.
    RemindOfMilestone(u8),
    /// That a dispute will fall to its default.
    RemindOfDispute(u16),
}

/// A deadline that is running, for those who want to know what time alone will do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadline {
    /// What it does.
    pub transition: Transition,
    /// To which milestone, by index.
    pub milestone: u8,
    /// When.
    pub at: Timestamp,
}

impl Escrow {
    /// Every running deadline, the earliest first. A stop stops them all.
    #[must_use]
    pub fn deadlines(&self) -> Vec<Deadline> {
        let mut timers = self.timers();
        timers.sort();
        let deadline = |timer: &Timer| {
            let (transition, milestone) = match timer.what {
                // It is nobody's to wait for.
                Due::Credit => return None,
                Due::Expire(index) => (Transition::Expire, index),
                Due::Abandon(index) => (Transition::Abandon, index),
                Due::AutoRelease(index) => (Transition::AutoRelease, index),
                Due::MissDelivery(index) => (Transition::MissDelivery, index),
                Due::DefaultDispute(number) => (Transition::DefaultDispute, self.milestone_of(number)),
                Due::RemindOfMilestone(index) => (Transition::Remind, index),
                Due::RemindOfDispute(number) => (Transition::Remind, self.milestone_of(number)),
            };
            Some(Deadline { transition, milestone, at: timer.at })
        };
        timers.iter().filter_map(deadline).collect()
    }

    /// The moment at which something must happen next: a deadline, a promise to a gateway, a look-up, an alarm.
    /// `None` when nothing will ever happen by itself again.
    #[must_use]
    pub fn due_at(&self) -> Option<Timestamp> {
        let effects = self.effects.iter().filter(|effect| match (effect.task, effect.progress) {
            (_, Progress::InDoubt(_)) => false,
            (Task::Refund(_), Progress::Ready) => !self.is_stopped(),
            (Task::ClosePayment(_) | Task::Refund(_), Progress::Sending(_))
            | (Task::ClosePayment(_), Progress::Ready) => true,
        });
        let look_ups = self.refunds.iter().filter_map(|refund| match refund.status {
            RefundStatus::Pending => refund.look_up_at,
            RefundStatus::Promised
            | RefundStatus::Succeeded
            | RefundStatus::Failed
            | RefundStatus::Resolved
            | RefundStatus::Replaced => None,
        });
        let timers = self.timers().into_iter().map(|timer| timer.at);
        timers.chain(effects.map(|effect| effect.due_at)).chain(look_ups).chain(self.alarm_at).min()
    }

    /// A deadline, moved by the stop that is on now. Once the stop ends, the stored deadline is moved for good.
    #[must_use]
    pub fn paused_until_now(&self, deadline: Timestamp, now: Timestamp) -> Timestamp {
        match self.stopped_since {
            Some(since) => deadline.after(now.since(since)),
            None => deadline,
        }
    }

    /// Every running deadline. A stop stops them all; only what was given before it still arrives.
    fn timers(&self) -> Vec<Timer> {
        let credit = self.credits.first().map(|credit| Timer { at: credit.since, what: Due::Credit });
        let mut timers: Vec<Timer> = credit.into_iter().collect();
        if self.is_stopped() {
            return timers;
        }
        for (index, milestone) in (0_u8..).zip(&self.milestones) {
            if milestone.stage() == Stage::Pending {
                timers.push(self.giving_up(index));
            }
            timers.extend(running(milestone, index));
            if let Some(deadline) = milestone.deadline().filter(|deadline| milestone.reminded_for != Some(*deadline)) {
                timers.push(Timer { at: deadline.before(REMINDED_BEFORE), what: Due::RemindOfMilestone(index) });
            }
        }
        for (number, dispute) in (0_u16..).zip(&self.disputes).filter(|(_, dispute)| dispute.is_open()) {
            timers.push(Timer { at: dispute.rule_by, what: Due::DefaultDispute(number) });
            if dispute.reminded_for != Some(dispute.rule_by) {
                let at = dispute.rule_by.before(REMINDED_BEFORE);
                timers.push(Timer { at, what: Due::RemindOfDispute(number) });
            }
        }
        timers
    }

    /// The milestone of the dispute of that number.
    fn milestone_of(&self, dispute: u16) -> u8 {
        self.disputes.get(usize::from(dispute)).map_or(0, |dispute| dispute.milestone)
    }

    /// When a milestone that waits for its payment is given up.
    ///
    /// While nothing of the escrow was ever paid it is a checkout, and ends with the last attempt to pay any of it. Once a part was
    /// paid the deal is on, and what is paid later has time: thirty days from the creation, or from the end of the last attempt to pay
    /// this milestone, whichever is later.
    fn giving_up(&self, index: u8) -> Timer {
        let is_on = self.milestones.iter().any(|milestone| milestone.funded_at.is_some());
        let attempts = self.payments.iter().filter(|payment| !is_on || payment.milestones.contains(&index));
        match attempts.map(ends_at).max() {
            Some(ended) if !is_on => Timer { at: ended, what: Due::Expire(index) },
            ended => {
                let since = ended.map_or(self.terms.created_at, |ended| ended.max(self.terms.created_at));
                Timer { at: since.after(ABANDONED_AFTER), what: Due::Abandon(index) }
            }
        }
    }
}

/// When a payment can no longer be expected. One that the gateway calls processing is waited for, within bounds.
fn ends_at(payment: &Payment) -> Timestamp {
    match payment.status {
        PaymentStatus::Processing => payment.created_at.after(LONGEST_PROCESSING),
        PaymentStatus::Opening
        | PaymentStatus::Open
        | PaymentStatus::Paid
        | PaymentStatus::Absorbed
        | PaymentStatus::Closing
        | PaymentStatus::Closed
        | PaymentStatus::Refused => payment.expires_at,
    }
}

/// The clock of what is held: towards release once delivered, towards refund before.
fn running(milestone: &Milestone, index: u8) -> Option<Timer> {
    if milestone.money.held.is_zero() {
        return None;
    }
    match (milestone.auto_release_at, milestone.deliver_by) {
        (Some(at), _) => Some(Timer { at, what: Due::AutoRelease(index) }),
        (None, Some(at)) => Some(Timer { at, what: Due::MissDelivery(index) }),
        (None, None) => None,
    }
}

/// Does everything that is due, earliest first, in one change that one transaction can hold.
pub(super) fn tick(escrow: &Escrow, now: Moment) -> Result<Outcome, Undecided> {
    let mut draft = Draft::new(escrow, Actor::clock(), Operation::of_clock("tick", 0, now.at), now);
    let mut entries = false;
    while let Some(timer) = draft.escrow.timers().into_iter().filter(|timer| timer.at <= now.at).min() {
        run(&mut draft, timer)?;
        entries = true;
        if draft.moves() >= MOST_MOVES {
            break;
        }
    }
    if draft.escrow.alarm_at.is_some_and(|at| at <= now.at) {
        draft.escrow.alarm_at = Some(now.at.after(ALARM_EVERY));
    } else if !entries {
        return Ok(Outcome::AlreadyDone);
    }
    let change = if entries { draft.finish()? } else { draft.finish_quietly()? };
    Ok(Outcome::Changed(Box::new(change)))
}

fn run(draft: &mut Draft, timer: Timer) -> Result<(), Undecided> {
    let begin = |draft: &mut Draft, transition: Transition, part: u16| {
        draft.act_as(Actor::clock(), Operation::of_clock(transition.as_str(), part, timer.at))
    };
    match timer.what {
        Due::Credit => deferred::land(draft),
        Due::Expire(index) => {
            begin(draft, Transition::Expire, u16::from(index))?;
            draft.record(Transition::Expire, Some(Part::Milestone(index)), None, None)?;
            draft.milestone(index)?.ended = Some(Ended::Expired);
            close_payments(draft)
        }
        Due::Abandon(index) => {
            begin(draft, Transition::Abandon, u16::from(index))?;
            draft.record(Transition::Abandon, Some(Part::Milestone(index)), None, None)?;
            draft.milestone(index)?.ended = Some(Ended::Cancelled);
            close_payments(draft)
        }
        Due::AutoRelease(index) => {
            begin(draft, Transition::AutoRelease, u16::from(index))?;
            draft.record(Transition::AutoRelease, Some(Part::Milestone(index)), None, None)?;
            let held = draft.milestone(index)?.money.held;
            draft.pay_seller(index, Bucket::Held, held)
        }
        Due::MissDelivery(index) => {
            begin(draft, Transition::MissDelivery, u16::from(index))?;
            draft.record(Transition::MissDelivery, Some(Part::Milestone(index)), None, None)?;
            let held = draft.milestone(index)?.money.held;
            draft.refund_buyer(index, Bucket::Held, held)
        }
        Due::DefaultDispute(number) => {
            begin(draft, Transition::DefaultDispute, number)?;
            let index = draft.escrow.milestone_of(number);
            disputes::default(draft, number, index)
        }
        Due::RemindOfMilestone(index) => {
            let deadline = draft.milestone(index)?.deadline();
            draft.milestone(index)?.reminded_for = deadline;
            let operation = Operation::of_clock("remind", u16::from(index), timer.at);
            remind(draft, operation, Part::Milestone(index), deadline)
        }
        Due::RemindOfDispute(number) => {
            let rule_by = Some(draft.dispute(number)?.rule_by);
            draft.dispute(number)?.reminded_for = rule_by;
            let operation = Operation::of_clock("remind of dispute", number, timer.at);
            remind(draft, operation, Part::Dispute(number), rule_by)
        }
    }
}

/// Both sides are told that a deadline is near. Where the clock comes so late that it has passed, what it does tells them enough.
fn remind(draft: &mut Draft, operation: Operation, part: Part, deadline: Option<Timestamp>) -> Result<(), Undecided> {
    let Some(deadline) = deadline.filter(|deadline| *deadline > draft.at()) else { return Ok(()) };
    draft.act_as(Actor::clock(), operation)?;
    draft.record(Transition::Remind, Some(part), Some(deadline.to_string()), None)
}
