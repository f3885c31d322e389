//! The program as people and scripts meet it: a child process against a hub that is a fake in this process.

mod fake;
mod hadron;

mod confirm;
mod credentials;
mod doctor;
mod lists;
mod offline;
mod signing_in;
mod trust;
mod waiting;
