//! Who won the last lottery that was drawn.

use super::{Store, StoreError};
use codec::{DecodeAll as _, Encode as _};
use quern_primitives::DeviceId;
use redb::{ReadableDatabase as _, ReadableTable as _, TableDefinition};
use std::collections::BTreeSet;

/// A day of the lottery to the devices that won it; only the last that was drawn.
pub(super) const WINNERS: TableDefinition<u32, &[u8]> = TableDefinition::new("winners/1");

impl Store {
    /// Remembers who won a day's lottery, in place of the one before; on disk when this returns.
    pub(crate) fn remember_winners(
        &self,
        day: u32,
        winners: &BTreeSet<DeviceId>,
    ) -> Result<(), StoreError> {
        self.reported(self.write_winners(day, winners))
    }

    fn write_winners(&self, day: u32, winners: &BTreeSet<DeviceId>) -> Result<(), StoreError> {
        let write = self.database.begin_write()?;
        {
            let mut table = write.open_table(WINNERS)?;
            table.retain(|_, _| false)?;
            table.insert(day, winners.encode().as_slice())?;
        }
        write.commit()?;
        Ok(())
    }

    /// The day of the last lottery that was drawn, and who won it.
    pub(crate) fn winners(&self) -> Result<Option<(u32, BTreeSet<DeviceId>)>, StoreError> {
        let table = self.database.begin_read()?.open_table(WINNERS)?;
        let Some((day, encoded)) = table.last()? else {
            return Ok(None);
        };
        let winners = BTreeSet::decode_all(&mut encoded.value()).map_err(|source| {
            let what = "list of a lottery's winners";
            StoreError::Foreign { what, source }
        })?;
        Ok(Some((day.value(), winners)))
    }
}
