//! Whole-line tests on the host.
