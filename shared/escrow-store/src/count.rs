//! What the store costs: requests, read units and write units, counted where they happen.

use aws_sdk_dynamodb::types::ConsumedCapacity;
use std::sync::atomic::{AtomicU64, Ordering};

/// A reading of the meter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counters {
    /// Requests sent, failed ones and repetitions included.
    pub requests: u64,
    /// Read units in thousandths: an eventually consistent read of 4 KB is half a unit.
    pub read_units: u64,
    /// Write units in thousandths, index entries included. A failed condition consumes units too, but DynamoDB does not tell how
    /// many, so only its request is counted.
    pub write_units: u64,
}

impl Counters {
    /// What was used since an earlier reading.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Self {
        Self {
            requests: self.requests.saturating_sub(earlier.requests),
            read_units: self.read_units.saturating_sub(earlier.read_units),
            write_units: self.write_units.saturating_sub(earlier.write_units),
        }
    }
}

#[derive(Debug, Default)]
pub(crate) struct Meter {
    requests: AtomicU64,
    read_units: AtomicU64,
    write_units: AtomicU64,
}

impl Meter {
    pub(crate) fn request(&self) {
        self.requests.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn read<'a>(&self, consumed: impl IntoIterator<Item = &'a ConsumedCapacity>) {
        let units = consumed.into_iter().filter_map(ConsumedCapacity::capacity_units).map(thousandths).sum();
        self.read_units.fetch_add(units, Ordering::Relaxed);
    }

    pub(crate) fn write<'a>(&self, consumed: impl IntoIterator<Item = &'a ConsumedCapacity>) {
        for capacity in consumed {
            // A repeated transaction that had already happened is answered from what was read, and costs read units only.
            let read = capacity.read_capacity_units().map_or(0, thousandths);
            let all = capacity.capacity_units().map_or(0, thousandths);
            self.read_units.fetch_add(read, Ordering::Relaxed);
            self.write_units.fetch_add(all.saturating_sub(read), Ordering::Relaxed);
        }
    }

    pub(crate) fn snapshot(&self) -> Counters {
        Counters {
            requests: self.requests.load(Ordering::Relaxed),
            read_units: self.read_units.load(Ordering::Relaxed),
            write_units: self.write_units.load(Ordering::Relaxed),
        }
    }
}

#[expect(
    clippy::float_arithmetic,
    clippy::as_conversions,
    reason = "the SDK tells units as f64; they leave floats here, at the edge, rounded to the thousandth that DynamoDB never goes below"
)]
fn thousandths(units: f64) -> u64 {
    (units * 1_000.0).round() as u64
}
