//! What Holdfast promises, sentence by sentence.

mod chargebacks;
mod clocks;
mod coins;
mod consent;
mod deferred;
mod disputes;
mod doubt;
mod milestones;
mod money_in;
mod money_out;
mod offers;
mod pages;
mod reminders;
mod replays;
mod stops;
mod wallet_funding;
