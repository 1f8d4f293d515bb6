//! Lambda on a schedule: everything whose time has come.
