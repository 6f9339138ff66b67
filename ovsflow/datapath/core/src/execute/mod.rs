//! Datapath actions done to bytes.
