//! Lambda: POST checkouts and further payment attempts.
