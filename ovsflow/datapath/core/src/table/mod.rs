//! OpenFlow state: rules, groups, meters, and the classifier that finds a rule for a key.
