//! Threads, and the journey of a batch from ports through the cache to ports.
