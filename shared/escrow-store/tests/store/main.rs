//! The store against a real DynamoDB API, embedded in the process and spoken with by the real SDK over loopback.

#[cfg(test)]
mod bed;
#[cfg(test)]
mod beside;
#[cfg(test)]
mod changes;
#[cfg(test)]
mod commits;
#[cfg(test)]
mod cost;
#[cfg(test)]
mod deal;
#[cfg(test)]
mod examples;
#[cfg(test)]
mod formats;
#[cfg(test)]
mod groups;
#[cfg(test)]
mod hot;
#[cfg(test)]
mod lists;
#[cfg(test)]
mod owners;
#[cfg(test)]
mod parked;
#[cfg(test)]
mod sheets;
#[cfg(test)]
mod sweep;
#[cfg(test)]
mod template;
#[cfg(test)]
mod transactions;
