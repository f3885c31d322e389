//! AWS's own clients against a hub: the AWS CLI, boto3, the JavaScript SDK, and programs that are up to no good.
//!
//! Each test starts a world, tells it to suites of `python/suites` (or to a program of `node`), and fails with what they
//! print. What they saw of each operation is compared with the table in `COVERAGE.md`; see [`hadron_tests::coverage`].

mod fuzz;
mod plans;
mod story;
mod suites;
