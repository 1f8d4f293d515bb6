//! What Holdfast promises, sentence by sentence.

mod clocks;
mod consent;
mod disputes;
mod doubt;
mod milestones;
mod money_in;
mod money_out;
mod offers;
mod reminders;
mod replays;
mod stops;
