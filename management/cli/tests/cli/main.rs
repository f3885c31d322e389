//! The program as people and scripts meet it: a child process against a hub that is a fake in this process.

mod fake;
mod hadron;
#[cfg(unix)]
mod seat;

mod codes;
mod confirm;
mod credentials;
mod doctor;
mod lists;
mod offline;
mod signing_in;
#[cfg(unix)]
mod terminal;
mod trust;
mod waiting;
#[cfg(unix)]
mod watching;
