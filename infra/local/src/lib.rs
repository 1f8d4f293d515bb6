//! The whole system on one machine: embedded DynamoDB, queue, schedule, gateway sandbox, clock.
