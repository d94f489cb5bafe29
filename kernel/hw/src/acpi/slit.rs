use super::{Problem, Signature, Table, field::u64_at};

/// The System Locality Distance Information Table (section 5.2.17): how far
/// localities (proximity domains) are from each other, 10 being the distance
/// to itself.
#[derive(Clone, Copy, Debug)]
pub struct Slit<'t> {
    matrix: &'t [u8],
    count: usize,
}

const NAME: Signature = Signature(*b"SLIT");
const MATRIX_AT: usize = 44;
const LOCAL: u8 = 10;
const UNREACHABLE: u8 = 255;

impl<'t> Slit<'t> {
    /// What two localities are taken to be apart when nothing sound says it.
    pub const DEFAULT_REMOTE: u8 = 20;

    /// Checks the whole matrix: the diagonal is 10, nothing else is below 10.
    ///
    /// # Errors
    /// [`Problem::WrongTable`], [`Problem::Localities`] or
    /// [`Problem::BadDistance`]; use [`Self::DEFAULT_REMOTE`] then.
    pub fn parse(table: Table<'t>) -> Result<Self, Problem> {
        let bytes = table.expect(&NAME.0)?.bytes();
        let count = u64_at(bytes, 36).unwrap_or(0);
        let unfit = Problem::Localities { table: NAME, count };
        let localities = usize::try_from(count).map_err(|_| unfit)?;
        let cells = localities.checked_mul(localities).filter(|cells| *cells != 0).ok_or(unfit)?;
        let end = MATRIX_AT.checked_add(cells).ok_or(unfit)?;
        let slit = Self { matrix: bytes.get(MATRIX_AT..end).ok_or(unfit)?, count: localities };
        slit.check_distances()?;
        Ok(slit)
    }

    /// How many localities the table covers.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count
    }

    /// The distance between two proximity domains; none outside the table, or
    /// when one cannot be reached from the other.
    #[must_use]
    pub fn distance(&self, from: usize, to: usize) -> Option<u8> {
        let inside = from < self.count && to < self.count;
        let cell = from.checked_mul(self.count)?.checked_add(to).filter(|_| inside)?;
        self.matrix.get(cell).copied().filter(|distance| *distance != UNREACHABLE)
    }

    fn check_distances(&self) -> Result<(), Problem> {
        for (from, row) in self.matrix.chunks_exact(self.count).enumerate() {
            for (to, &distance) in row.iter().enumerate() {
                let sound = if from == to { distance == LOCAL } else { distance >= LOCAL };
                if !sound {
                    return Err(Problem::BadDistance { from, to, distance });
                }
            }
        }
        Ok(())
    }
}
