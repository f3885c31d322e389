//! A hub in this process and agents over real TLS. What is promised to agents, and what is kept from them.

mod bulk;
mod enrolment;
mod sessions;
mod stacks;
mod versions;
