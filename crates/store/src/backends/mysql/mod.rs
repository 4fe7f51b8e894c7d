//! MySQL (8.0.19 and later) and MariaDB (10.6 and later).
