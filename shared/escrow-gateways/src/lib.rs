//! The payment gateways: what Holdfast asks of them and what it hears from them.
