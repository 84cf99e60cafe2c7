//! Where HDF5 keeps names and long text: local heaps, global heaps, symbol tables.

use bartizan_inspect::Source;

use super::layout::{Cursor, Layout, number};

/// Children of one group, by B-tree (version 1) and local heap.
pub(super) fn symbol_table(
    source: &Source,
    layout: Layout,
    tree: u64,
    heap: u64,
) -> Result<Vec<(String, u64)>, String> {
    let head = layout.read(source, heap, 8 + 2 * layout.length + layout.offset)?;
    let mut cursor = Cursor(&head);
    expect(cursor.take(8)?, b"HEAP")?;
    let size = cursor.size(layout.length)?;
    cursor.take(layout.length)?;
    let names = layout.read(source, cursor.number(layout.offset)?, size.min(64 << 20))?;
    let mut children = Vec::new();
    let mut nodes = vec![(tree, 0)];
    while let Some((address, depth)) = nodes.pop() {
        source.budget().operate(256).map_err(|exhausted| exhausted.to_string())?;
        if depth > 16 {
            return Err("an HDF5 group's tree is too deep".to_owned());
        }
        let fixed = 8 + 2 * layout.offset;
        let head = layout.read(source, address, fixed)?;
        expect(&head, b"TREE")?;
        let level = head.get(5).copied().unwrap_or(0);
        let used = head.get(6..8).map_or(0, number);
        let used = usize::try_from(used).unwrap_or(0);
        let body = layout.read(source, address + fixed as u64, used * (layout.length + layout.offset))?;
        let mut cursor = Cursor(&body);
        for _ in 0..used {
            cursor.take(layout.length)?;
            let child = cursor.number(layout.offset)?;
            if level > 0 {
                nodes.push((child, depth + 1));
            } else {
                node(source, layout, child, &names, &mut children)?;
            }
        }
    }
    Ok(children)
}

fn node(
    source: &Source,
    layout: Layout,
    address: u64,
    names: &[u8],
    children: &mut Vec<(String, u64)>,
) -> Result<(), String> {
    let head = layout.read(source, address, 8)?;
    expect(&head, b"SNOD")?;
    let count = usize::try_from(head.get(6..8).map_or(0, number)).unwrap_or(0);
    let entry = 2 * layout.offset + 24;
    let body = layout.read(source, address + 8, count * entry)?;
    for bytes in body.chunks_exact(entry) {
        let mut cursor = Cursor(bytes);
        let place = cursor.size(layout.offset)?;
        let header = cursor.number(layout.offset)?;
        let name = names.get(place..).unwrap_or_default().split(|byte| *byte == 0).next().unwrap_or_default();
        children.push((String::from_utf8_lossy(name).into_owned(), header));
    }
    Ok(())
}

/// One object of a global heap collection, and where it lies.
pub(super) fn global(source: &Source, layout: Layout, address: u64, index: u64) -> Result<(Vec<u8>, u64), String> {
    let fixed = 8 + layout.length;
    let head = layout.read(source, address, fixed)?;
    expect(&head, b"GCOL")?;
    let end = address.saturating_add(head.get(8..).map_or(0, number));
    let mut position = address + fixed as u64;
    while position + 8 + (layout.length as u64) <= end {
        source.budget().operate(8).map_err(|exhausted| exhausted.to_string())?;
        let object = layout.read(source, position, 8 + layout.length)?;
        let number_here = object.get(0..2).map_or(0, number);
        let size = object.get(8..).map_or(0, number);
        position += 8 + layout.length as u64;
        if number_here == index {
            let size = usize::try_from(size).map_err(|_| "an HDF5 size is too large")?;
            return layout.read(source, position, size).map(|bytes| (bytes, layout.base + position));
        }
        if number_here == 0 {
            break;
        }
        position = position.saturating_add(size.div_ceil(8).saturating_mul(8));
    }
    Err("an HDF5 attribute points to nothing".to_owned())
}

fn expect(bytes: &[u8], signature: &[u8; 4]) -> Result<(), String> {
    if bytes.starts_with(signature) {
        Ok(())
    } else {
        Err(format!("the HDF5 file is damaged: no {} where one should be", String::from_utf8_lossy(signature)))
    }
}
