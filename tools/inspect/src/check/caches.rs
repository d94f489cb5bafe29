//! Cache geometry and lists of colours.

use umbra_hw::{
    cpuid::{Cache, Registers},
    notation::parse_colours,
};

use super::row::{Outcome, Row, hex, refused, same};

/// `dump leaf subleaf regs level size_KiB ways sets line threads_sharing_field
/// linear_colours_4K complex_indexing verdict`
pub(super) fn geometry(row: &Row<'_>) -> Outcome {
    let registers: Option<Vec<u32>> = row.text(3).split('-').map(|word| hex(word)?.try_into().ok()).collect();
    let Some(&[eax, ebx, ecx, edx]) = registers.as_deref() else {
        return Err("regs are not four numbers".into());
    };
    let cache = Cache::decode(Registers { eax, ebx, ecx, edx }).ok_or("no cache in it")?;
    same(format!("L{}", cache.level), row.text(4).to_owned())?;
    same(cache.bytes() / 1024, row.decimal(5)?)?;
    for (found, column) in [
        (cache.ways, 6),
        (cache.sets, 7),
        (cache.line_bytes, 8),
        (cache.sharing, 9),
        (cache.linear_colours(), 10),
        (u32::from(cache.complex_indexing), 11),
    ] {
        same(found, row.decimal32(column)?).map_err(|error| format!("{}: {error}", row.name(column)))?;
    }
    let verdict = if cache.complex_indexing { "hashed" } else { "linear" };
    if row.text(12).starts_with(verdict) { Ok(()) } else { Err(format!("got {verdict}")) }
}

/// `input max_colours expected`
pub(super) fn colour_list(row: &Row<'_>) -> Outcome {
    let list = parse_colours(row.text(0), row.decimal32(1)?);
    if refused(&list, row.text(2))? {
        return Ok(());
    }
    let colours =
        list.map_err(|error| error.to_string())?.iter().map(|colour| colour.to_string()).collect::<Vec<_>>();
    same(colours.join(","), row.text(2).to_owned())
}
