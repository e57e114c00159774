//! What the schedules have found, each as small as it became.
