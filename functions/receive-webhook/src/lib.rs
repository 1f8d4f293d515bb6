//! Lambda: POST webhooks/{gateway}.
