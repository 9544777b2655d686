//! The quotas: what is counted, and how much of it there may be.

/// What is counted. Each is a bucket that is full at first, is emptied by one a request and fills again
/// evenly over its window (GCRA): nobody gets twice the quota around the edge of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quota {
    /// Every request of who is not signed in, by address: `RATE_LIMIT_PER_MINUTE`.
    Anonymous,
    /// Every request of who is signed in, by user: ten times as many.
    SignedIn,
    /// Users that an admin makes, by caller: 5 a minute.
    CreateUser,
    /// Users that make themselves, by address: 10 a minute.
    Register,
    /// Forgotten passwords, by address: 20 in 15 minutes.
    ForgotByAddress,
    /// Forgotten passwords, by e-mail address: 5 in 15 minutes.
    ForgotByEmail,
}

impl Quota {
    /// All quotas, in the order of [`Quota::index`].
    pub const ALL: [Quota; 6] = [
        Quota::Anonymous,
        Quota::SignedIn,
        Quota::CreateUser,
        Quota::Register,
        Quota::ForgotByAddress,
        Quota::ForgotByEmail,
    ];

    /// Its place in [`Quota::ALL`].
    pub fn index(self) -> usize {
        self as usize
    }

    /// The policy's name in `RateLimit-Policy`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Anonymous | Self::SignedIn => "default",
            Self::CreateUser => "create-user",
            Self::Register => "register",
            Self::ForgotByAddress => "forgot-address",
            Self::ForgotByEmail => "forgot-email",
        }
    }

    /// Whether it is counted by address also for who is signed in.
    pub fn is_by_address(self) -> bool {
        !matches!(self, Self::SignedIn | Self::CreateUser)
    }
}

/// So many in so many seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// How many; never 0.
    pub count: u32,
    /// In how many seconds; never 0.
    pub window: u32,
}

impl Rate {
    /// What a quota is; absent when requests are not limited.
    pub fn of(quota: Quota, per_minute: u32) -> Option<Self> {
        let (count, window) = match quota {
            Quota::Anonymous => (per_minute, 60),
            Quota::SignedIn => (per_minute.saturating_mul(10), 60),
            Quota::CreateUser => (5, 60),
            Quota::Register => (10, 60),
            Quota::ForgotByAddress => (20, 900),
            Quota::ForgotByEmail => (5, 900),
        };
        (per_minute > 0).then_some(Self { count, window })
    }

    /// After how many microseconds there is one more.
    pub fn interval(self) -> i64 {
        (i64::from(self.window) * 1_000_000 / i64::from(self.count)).max(1)
    }
}

/// Where somebody stands with a quota after a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// Of which quota.
    pub quota: Quota,
    /// How much it is.
    pub rate: Rate,
    /// Whether the request may go on.
    pub admitted: bool,
    /// How many more may come at once.
    pub remaining: u32,
    /// For how many seconds that is all; then the quota is whole again, or, when nothing is left, there is
    /// one more.
    pub reset: u32,
}

impl Standing {
    /// After a request that may go on.
    pub fn admitted(quota: Quota, rate: Rate, remaining: u32) -> Self {
        let remaining = remaining.min(rate.count);
        let missing = if remaining == 0 { 1 } else { rate.count - remaining };
        let reset = seconds(rate.interval().saturating_mul(i64::from(missing)));
        Self { quota, rate, admitted: true, remaining, reset }
    }

    /// After one that may not, until so many microseconds have passed.
    pub fn refused(quota: Quota, rate: Rate, wait: i64) -> Self {
        Self { quota, rate, admitted: false, remaining: 0, reset: seconds(wait) }
    }
}

/// Microseconds in whole seconds, rounded up; at least one.
pub fn seconds(micros: i64) -> u32 {
    u32::try_from(micros.max(1).saturating_add(999_999) / 1_000_000).unwrap_or(u32::MAX)
}
