//! Flow B's front door.
