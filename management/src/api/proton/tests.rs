//! The frame over real HTTP.
