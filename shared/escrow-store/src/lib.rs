//! DynamoDB: keys, items, load, commit. The only crate that may write.
