//! What operations hold and take: operators, tools and materials.

use super::{Kind, Sheet};
use crate::problem::Assignment;

pub(super) fn check(sheet: &mut Sheet<'_>) {
    let entries: Vec<&Assignment> = sheet.entries.iter().flatten().flatten().copied().collect();
    let mut held: Vec<Vec<(i64, i64, &Assignment)>> =
        vec![Vec::new(); sheet.problem.resources.len()];
    let mut taken: Vec<Vec<(i64, i64, &Assignment)>> =
        vec![Vec::new(); sheet.problem.materials.len()];
    for &entry in &entries {
        let operation = &sheet.problem.jobs[entry.job as usize].operations[entry.op as usize];
        for consumption in &operation.consumes {
            if let Some(list) = taken.get_mut(consumption.material as usize) {
                list.push((entry.start, consumption.quantity, entry));
            }
        }
        let unknown = operation.fixed.is_some() && entry.resources.is_empty();
        if !unknown && entry.resources.len() != operation.needs.len() {
            sheet.tell(
                Kind::Resource,
                entry,
                format!(
                    "it needs {} resources and has {}",
                    operation.needs.len(),
                    entry.resources.len()
                ),
            );
            continue;
        }
        for (need, &at) in operation.needs.iter().zip(&entry.resources) {
            match sheet.problem.resources.get(at as usize) {
                Some(resource) if resource.skills.contains(&need.skill) => {
                    held[at as usize].push((entry.start, i64::from(need.count), entry));
                    held[at as usize].push((entry.end, -i64::from(need.count), entry));
                }
                _ => sheet.tell(
                    Kind::Resource,
                    entry,
                    format!("resource {at} does not have skill {}", need.skill),
                ),
            }
        }
    }
    for (at, mut events) in held.into_iter().enumerate() {
        // What ends at a moment is given back before what starts then is taken.
        events.sort_by_key(|event| (event.0, event.1));
        let count = i64::from(sheet.problem.resources[at].count);
        let mut used = 0;
        for (time, change, entry) in events {
            // An operation without length holds nothing.
            if entry.start == entry.end {
                continue;
            }
            used += change;
            if used > count && change > 0 {
                sheet.tell(
                    Kind::Resource,
                    entry,
                    format!("resource {at} is used {used} times at {time} and there are {count}"),
                );
            }
        }
    }
    for (at, mut list) in taken.into_iter().enumerate() {
        list.sort_by_key(|one| one.0);
        let arrivals = &sheet.problem.materials[at].arrivals;
        let mut used = 0;
        for (index, &(time, quantity, entry)) in list.iter().enumerate() {
            used += quantity;
            if list.get(index + 1).is_some_and(|next| next.0 == time) {
                continue;
            }
            let come: i64 = arrivals
                .iter()
                .filter(|arrival| arrival[0] <= time)
                .map(|arrival| arrival[1])
                .sum();
            if used > come {
                sheet.tell(
                    Kind::Material,
                    entry,
                    format!("{used} of material {at} is used by {time} and {come} has come"),
                );
            }
        }
    }
}
