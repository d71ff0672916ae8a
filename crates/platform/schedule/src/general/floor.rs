//! The shop floor while a schedule is built: the earliest place for one operation.

use super::calendar;
use super::plant::Plant;
use super::timeline::{Slot, Stock, Usage};
use crate::problem::{Calendar, Wait};

/// Ways to choose resources for an operation's needs that are tried.
const CHOICES_MAX: usize = 24;

/// Where an operation goes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Place {
    pub(super) machine: u32,
    pub(super) start: i64,
    pub(super) end: i64,
    pub(super) resources: Vec<u32>,
    /// It joins the batch that starts then.
    pub(super) joins: bool,
    /// Working time; that of the batch when it joins one.
    pub(super) duration: i64,
}

#[derive(Debug)]
pub(super) struct Floor<'a> {
    pub(super) plant: &'a Plant<'a>,
    pub(super) machines: Vec<Vec<Slot>>,
    usage: Vec<Usage>,
    stocks: Vec<Stock>,
}

impl<'a> Floor<'a> {
    pub(super) fn new(plant: &'a Plant<'a>) -> Self {
        Self {
            plant,
            machines: vec![Vec::new(); plant.problem.machines.len()],
            usage: vec![Usage::default(); plant.problem.resources.len()],
            stocks: vec![Stock::default(); plant.problem.materials.len()],
        }
    }

    pub(super) fn clear(&mut self) {
        self.machines.iter_mut().for_each(Vec::clear);
        self.usage.iter_mut().for_each(Usage::clear);
        for (stock, material) in self.stocks.iter_mut().zip(&self.plant.problem.materials) {
            stock.reset(&material.arrivals);
        }
    }

    /// The place with the earliest end on a machine, not before `earliest`.
    pub(super) fn fit(&self, at: u32, machine: u32, duration: i64, earliest: i64) -> Option<Place> {
        let operation = self.plant.operations[at as usize];
        let mut earliest = earliest;
        for one in &operation.consumes {
            earliest = earliest.max(self.stocks[one.material as usize].ready(one.quantity)?);
        }
        let mut best: Option<Place> = None;
        let mut choice = vec![0_usize; operation.needs.len()];
        let skilled: Vec<Vec<u32>> = operation
            .needs
            .iter()
            .map(|need| {
                let able = self.plant.skilled.get(&need.skill).map_or(&[][..], Vec::as_slice);
                able.iter()
                    .copied()
                    .filter(|&one| self.plant.problem.resources[one as usize].count >= need.count)
                    .collect()
            })
            .collect();
        for _ in 0..CHOICES_MAX {
            let resources: Vec<u32> =
                choice.iter().zip(&skilled).map(|(&one, able)| able[one]).collect();
            if let Some(place) = self.fit_with(at, machine, duration, earliest, &resources)
                && best.as_ref().is_none_or(|best| place.end < best.end)
            {
                best = Some(place);
            }
            let Some(next) = (0..choice.len()).find(|&one| choice[one] + 1 < skilled[one].len())
            else {
                break;
            };
            choice[..next].fill(0);
            choice[next] += 1;
        }
        match self.join(at, machine, duration, earliest) {
            Some(joined) if best.as_ref().is_none_or(|best| joined.end <= best.end) => Some(joined),
            _ => best,
        }
    }

    fn fit_with(
        &self,
        at: u32,
        machine: u32,
        duration: i64,
        earliest: i64,
        resources: &[u32],
    ) -> Option<Place> {
        let operation = self.plant.operations[at as usize];
        let problem = self.plant.problem;
        let description = &problem.machines[machine as usize];
        let mut load: Vec<(u32, u32)> = Vec::new();
        for (need, &one) in operation.needs.iter().zip(resources) {
            match load.iter_mut().find(|load| load.0 == one) {
                Some(load) => load.1 += need.count,
                None => load.push((one, need.count)),
            }
        }
        if load.iter().any(|one| one.1 > problem.resources[one.0 as usize].count) {
            return None;
        }
        let named = load
            .iter()
            .map(|one| problem.resources[one.0 as usize].calendar)
            .chain([description.calendar]);
        let calendars: Vec<&Calendar> =
            named.flatten().map(|at| &problem.calendars[at as usize]).collect();
        let slots = &self.machines[machine as usize];
        let mut time = earliest;
        let mut index = slots.partition_point(|slot| slot.leaves <= time);
        // Every round passes a slot or a booking of a resource; both are finitely many.
        loop {
            let ready = match index.checked_sub(1).map(|before| slots[before]) {
                Some(slot) => {
                    slot.leaves + self.plant.setup(machine, slot.family, operation.family)
                }
                None => description
                    .initial_family
                    .map_or(i64::MIN, |from| self.plant.setup(machine, from, operation.family)),
            };
            let (start, end) =
                calendar::span(&calendars, time.max(ready), duration, operation.interruptible)?;
            if let Some(next) = slots.get(index)
                && (end + self.plant.setup(machine, operation.family, next.family) > next.start
                    || start == next.start)
            {
                time = time.max(next.leaves);
                index += 1;
                continue;
            }
            let conflict = load.iter().filter_map(|&(one, count)| {
                self.usage[one as usize].conflict(
                    start,
                    end,
                    count,
                    problem.resources[one as usize].count,
                )
            });
            match conflict.max() {
                Some(later) => {
                    time = later.max(time);
                    while slots.get(index).is_some_and(|slot| slot.leaves <= time) {
                        index += 1;
                    }
                }
                None => {
                    return Some(Place {
                        machine,
                        start,
                        end,
                        resources: resources.to_vec(),
                        joins: false,
                        duration,
                    });
                }
            }
        }
    }

    /// The first batch that the operation can join.
    fn join(&self, at: u32, machine: u32, duration: i64, earliest: i64) -> Option<Place> {
        let operation = self.plant.operations[at as usize];
        let capacity = self.plant.problem.machines[machine as usize].batch_capacity;
        if capacity == 0 || !operation.needs.is_empty() || operation.wait == Wait::Blocking {
            return None;
        }
        let slot = self.machines[machine as usize].iter().find(|slot| {
            slot.start >= earliest
                && slot.family == operation.family
                && slot.size + operation.size.max(1) <= capacity
                && slot.open_duration >= duration
                && (operation.interruptible || slot.end - slot.start == slot.open_duration)
        })?;
        Some(Place {
            machine,
            start: slot.start,
            end: slot.end,
            resources: Vec::new(),
            joins: true,
            duration: slot.open_duration,
        })
    }

    pub(super) fn book(&mut self, at: u32, place: &Place) {
        let operation = self.plant.operations[at as usize];
        let batches = self.plant.problem.machines[place.machine as usize].batch_capacity > 0;
        let open = batches
            && operation.needs.is_empty()
            && operation.fixed.is_none()
            && operation.wait == Wait::Free;
        let slots = &mut self.machines[place.machine as usize];
        let size = operation.size.max(1);
        if let Some(slot) = slots
            .iter_mut()
            .find(|slot| place.joins && slot.start == place.start && slot.end == place.end)
        {
            slot.size += size;
        } else {
            let index =
                slots.partition_point(|slot| (slot.start, slot.end) <= (place.start, place.end));
            let open_duration = if open { place.duration } else { -1 };
            let (start, end, family) = (place.start, place.end, operation.family);
            slots.insert(
                index,
                Slot { start, end, leaves: end, family, operation: at, open_duration, size },
            );
        }
        self.supply(at, place, true);
    }

    pub(super) fn cancel(&mut self, at: u32, place: &Place) {
        let size = self.plant.operations[at as usize].size.max(1);
        let slots = &mut self.machines[place.machine as usize];
        if place.joins {
            if let Some(slot) =
                slots.iter_mut().find(|slot| slot.start == place.start && slot.end == place.end)
            {
                slot.size -= size;
            }
        } else {
            slots.retain(|slot| slot.operation != at);
        }
        self.supply(at, place, false);
    }

    fn supply(&mut self, at: u32, place: &Place, book: bool) {
        let operation = self.plant.operations[at as usize];
        for (need, &one) in operation.needs.iter().zip(&place.resources) {
            let usage = &mut self.usage[one as usize];
            if book {
                usage.book(place.start, place.end, need.count);
            } else {
                usage.cancel(place.start, place.end, need.count);
            }
        }
        for one in &operation.consumes {
            let stock = &mut self.stocks[one.material as usize];
            if book {
                stock.change(place.start, -one.quantity);
            } else {
                stock.undo(place.start, -one.quantity);
            }
        }
    }

    /// Keeps a machine taken until `leaves`; otherwise tells from when on the operation could be placed anew.
    pub(super) fn block(&mut self, at: u32, machine: u32, leaves: i64) -> Result<(), i64> {
        let plant = self.plant;
        let slots = &mut self.machines[machine as usize];
        let Some(index) = slots.iter().position(|slot| slot.operation == at) else { return Ok(()) };
        let leaves = leaves.max(slots[index].leaves);
        if let Some(next) = slots.get(index + 1)
            && leaves + plant.setup(machine, slots[index].family, next.family) > next.start
        {
            return Err(next.leaves);
        }
        slots[index].leaves = leaves;
        Ok(())
    }
}
