//! What Holdfast promises, sentence by sentence.

mod clocks;
mod disputes;
mod doubt;
mod money_in;
mod money_out;
mod replays;
mod stops;
