//! What is booked: on machines, resources and materials.

/// One operation or batch on a machine.
#[derive(Debug, Clone, Copy)]
pub(super) struct Slot {
    pub(super) start: i64,
    pub(super) end: i64,
    /// When the machine is free again; later than `end` when the work blocks it.
    pub(super) leaves: i64,
    pub(super) family: u32,
    pub(super) operation: u32,
    /// Working time of a batch that others may join; negative when none may.
    pub(super) open_duration: i64,
    pub(super) size: u32,
}

/// A resource's bookings, by start.
#[derive(Debug, Clone, Default)]
pub(super) struct Usage {
    spans: Vec<(i64, i64, u32)>,
    longest: i64,
}

impl Usage {
    pub(super) fn clear(&mut self) {
        self.spans.clear();
        self.longest = 0;
    }

    /// When to look again if `count` more do not fit into `[start, end)`; `None` when they do.
    pub(super) fn conflict(&self, start: i64, end: i64, count: u32, most: u32) -> Option<i64> {
        if start == end {
            return None;
        }
        let low = self.spans.partition_point(|span| span.0 <= start - self.longest);
        let near =
            self.spans[low..].iter().take_while(|span| span.0 < end).filter(|span| span.1 > start);
        let peak_at = |time: i64| -> u32 {
            near.clone().filter(|span| span.0 <= time && span.1 > time).map(|span| span.2).sum()
        };
        let moments = std::iter::once(start).chain(near.clone().map(|span| span.0.max(start)));
        let too_much = moments.map(peak_at).any(|used| used + count > most);
        if too_much { near.clone().map(|span| span.1).min() } else { None }
    }

    pub(super) fn book(&mut self, start: i64, end: i64, count: u32) {
        if start < end {
            let at = self.spans.partition_point(|span| span.0 <= start);
            self.spans.insert(at, (start, end, count));
            self.longest = self.longest.max(end - start);
        }
    }

    pub(super) fn cancel(&mut self, start: i64, end: i64, count: u32) {
        if let Some(at) = self.spans.iter().position(|span| *span == (start, end, count)) {
            self.spans.remove(at);
        }
    }
}

/// A material's changes of stock, by time: arrivals above zero, consumption below.
#[derive(Debug, Clone, Default)]
pub(super) struct Stock {
    changes: Vec<(i64, i64)>,
}

impl Stock {
    pub(super) fn reset(&mut self, arrivals: &[[i64; 2]]) {
        self.changes.clear();
        self.changes.extend(arrivals.iter().map(|arrival| (arrival[0], arrival[1])));
    }

    pub(super) fn change(&mut self, time: i64, quantity: i64) {
        let at = self.changes.partition_point(|change| change.0 <= time);
        self.changes.insert(at, (time, quantity));
    }

    pub(super) fn undo(&mut self, time: i64, quantity: i64) {
        if let Some(at) = self.changes.iter().position(|change| *change == (time, quantity)) {
            self.changes.remove(at);
        }
    }

    /// From when on the quantity is there at all times; `None` when it never is.
    pub(super) fn ready(&self, quantity: i64) -> Option<i64> {
        if quantity == 0 {
            return Some(i64::MIN);
        }
        let mut left: i64 = self.changes.iter().map(|change| change.1).sum();
        let mut from = None;
        let mut at = self.changes.len();
        while at > 0 && left >= quantity {
            let time = self.changes[at - 1].0;
            from = Some(time);
            while at > 0 && self.changes[at - 1].0 == time {
                left -= self.changes[at - 1].1;
                at -= 1;
            }
        }
        from
    }
}
