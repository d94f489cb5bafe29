use super::Refusal;

/// Memory bandwidth allocation of Intel: classes are slowed down by a throttle
/// value (CPUID.(10H,3)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mba {
    /// The throttle is a percentage; else one of a row of powers of two whose
    /// effect is not stated.
    pub linear: bool,
    /// Largest throttle value.
    pub max_throttle: u32,
    /// Classes.
    pub classes: u32,
    /// The slowest thread of a core need not slow the other (SDM's MBA 2.0,
    /// register C84H).
    pub per_thread: bool,
}

/// How a share that cannot be set exactly is rounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rounding {
    /// The SDM's rule: the throttle goes down, so that nobody gets less than was
    /// asked for. Umbra uses this one.
    Down,
    /// `pqos`: to the nearest step.
    PqosNearest,
    /// Linux resctrl: the share goes up, and less than the least is refused.
    /// What differs from [`Self::Down`] is how small a share may be asked for.
    LinuxUp,
}

impl Mba {
    /// Decodes EAX, ECX and EDX of CPUID.(10H,3) (SDM volume 3B, section
    /// 18.19.7).
    ///
    /// # Errors
    /// [`Refusal::Description`] when a linear throttle could reach 100 %, which
    /// leaves no precision.
    pub fn decode(eax: u32, ecx: u32, edx: u32) -> Result<Self, Refusal> {
        let mba = Self {
            linear: ecx >> 2 & 1 == 1,
            max_throttle: (eax & 0xfff) + 1,
            classes: (edx & 0xffff) + 1,
            per_thread: ecx & 1 == 1,
        };
        if mba.linear && mba.max_throttle >= 100 {
            return Err(Refusal::Description("its bandwidth throttle"));
        }
        Ok(mba)
    }

    /// The step of a linear throttle in percent; none if it is not linear.
    #[must_use]
    pub fn step_percent(&self) -> Option<u32> {
        if self.linear { 100u32.checked_sub(self.max_throttle).filter(|step| *step != 0) } else { None }
    }

    /// The least share in percent; none if throttles are not linear.
    #[must_use]
    pub fn least_percent(&self) -> Option<u32> {
        self.step_percent()
    }

    /// Rounds a throttle value as the SDM does: down to a step, or down to a
    /// power of two if it is not linear.
    ///
    /// # Errors
    /// [`Refusal::Bandwidth`] if what comes out is above the largest.
    pub fn round_throttle(&self, throttle: u32) -> Result<u32, Refusal> {
        let rounded = if self.linear {
            let step = self.step_percent().ok_or(Refusal::Description("its bandwidth throttle"))?;
            throttle - throttle % step
        } else {
            throttle.checked_ilog2().map_or(0, |power| 1 << power)
        };
        if rounded > self.max_throttle {
            return Err(Refusal::Bandwidth { asked: throttle, least: 0, most: self.max_throttle });
        }
        Ok(rounded)
    }

    /// The throttle value for a share of the bandwidth in percent.
    ///
    /// # Errors
    /// [`Refusal::Absent`] if throttles are not linear (nothing says what they
    /// do); [`Refusal::Bandwidth`] for a share that cannot be had.
    pub fn throttle_for(&self, percent: u32, rounding: Rounding) -> Result<u32, Refusal> {
        let step = self.step_percent().ok_or(Refusal::Absent("linear bandwidth throttle"))?;
        let refused = Refusal::Bandwidth { asked: percent, least: step, most: 100 };
        let remaining = 100u32.checked_sub(percent).ok_or(refused)?;
        match rounding {
            Rounding::Down => self.round_throttle(remaining).map_err(|_| refused),
            Rounding::PqosNearest => Ok(100 - ((percent + step / 2) / step * step).clamp(step, 100)),
            Rounding::LinuxUp if percent < step => Err(refused),
            Rounding::LinuxUp => Ok(100 - percent.next_multiple_of(step).min(100)),
        }
    }

    /// The share that a throttle value leaves; none if throttles are not linear.
    #[must_use]
    pub fn percent_of(&self, throttle: u32) -> Option<u32> {
        if self.linear { 100u32.checked_sub(throttle) } else { None }
    }
}

/// AMD's bandwidth limits: an absolute number per class in units of 1/8 GB/s
/// (APM volume 2, section 19.3.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AbsoluteLimit {
    /// Bits of a limit.
    pub bits: u8,
    /// Classes.
    pub classes: u32,
}

impl AbsoluteLimit {
    /// Decodes EAX and EDX of CPUID.(80000020H,1) or, for slow memory, (…,2).
    ///
    /// # Errors
    /// [`Refusal::Description`] for a limit of more bits than the register has.
    pub fn decode(eax: u32, edx: u32) -> Result<Self, Refusal> {
        let bits = u8::try_from(eax).ok().filter(|bits| (1..32).contains(bits));
        let bits = bits.ok_or(Refusal::Description("its bandwidth limit"))?;
        Ok(Self { bits, classes: edx.saturating_add(1) })
    }

    /// The value that means "no limit", which is the default.
    #[must_use]
    pub fn unlimited(&self) -> u64 {
        1 << self.bits
    }

    /// The register's value for a limit in units of 1/8 GB/s.
    ///
    /// # Errors
    /// [`Refusal::Bandwidth`] above [`Self::unlimited`].
    pub fn value_for(&self, eighths_of_gb: u32) -> Result<u64, Refusal> {
        let value = u64::from(eighths_of_gb);
        if value > self.unlimited() {
            let most = u32::try_from(self.unlimited()).unwrap_or(u32::MAX);
            return Err(Refusal::Bandwidth { asked: eighths_of_gb, least: 0, most });
        }
        Ok(value)
    }
}
