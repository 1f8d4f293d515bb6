//! Lambda on SQS: does at the gateways what commits have promised.
