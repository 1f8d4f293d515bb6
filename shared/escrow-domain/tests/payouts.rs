//! Payouts, the wallets that they leave, and top-ups, which fill them.

mod by_hand;
mod came_back;
pub(crate) mod document;
mod in_doubt;
mod lives;
mod model;
mod purse;
mod table;
mod top_ups;
mod wallets;
