//! Newest and stored values.

use weir_access::{Action, Caller};
use weir_historian::HistorianError;
use weir_model::{Quality, Sample, TagId, Timestamp};
use weir_opcua_server::{PlantError, Span};

use super::history::newest_first;
use super::sight::Sight;
use super::{Rooms, unavailable};

/// `BadUserAccessDenied`: what a tag reads as for who may see it and not its values.
const DENIED: Quality = Quality::from_code(0x801F_0000);

/// The newest samples of tags, in their order.
pub(super) fn last(
    rooms: &Rooms,
    caller: &Caller,
    tags: &[TagId],
) -> Result<Vec<Option<Sample>>, PlantError> {
    if !rooms.may(caller, Action::SampleRead) {
        let denied = Sample::without_value(Timestamp::MIN, DENIED);
        return Ok(tags.iter().map(|_| Some(denied.clone())).collect());
    }
    let sight = Sight::of(rooms, caller);
    let seen = rooms.directory.with(caller.tenant, |view| {
        let sees = |tag: &TagId| view.tag_by_number(*tag).is_some_and(|tag| sight.tag(view, tag));
        tags.iter().map(sees).collect::<Vec<_>>()
    });
    let seen = seen.map_err(unavailable)?.unwrap_or_default();
    let newest = |(tag, seen): (&TagId, bool)| {
        if seen { rooms.historian.last(caller.tenant, *tag) } else { None }
    };
    let known = seen.into_iter().chain(std::iter::repeat(false));
    Ok(tags.iter().zip(known).map(newest).collect())
}

/// Stored samples of a tag.
pub(super) async fn history(
    rooms: &Rooms,
    caller: &Caller,
    tag: TagId,
    span: Span,
    max: usize,
) -> Result<Vec<Sample>, PlantError> {
    if !rooms.may(caller, Action::SampleRead) {
        return Err(PlantError::Denied);
    }
    let sight = Sight::of(rooms, caller);
    let seen = rooms.directory.with(caller.tenant, |view| {
        view.tag_by_number(tag).is_some_and(|tag| sight.tag(view, tag))
    });
    if !seen.map_err(unavailable)?.unwrap_or(false) {
        return Ok(Vec::new());
    }
    let tenant = caller.tenant;
    if !span.newest_first {
        // The historian leaves the end of a range out.
        let to = span.to.saturating_add(1);
        return rooms.historian.range(tenant, tag, span.from, to, max).await.map_err(unavailable);
    }
    let Some(newest) = rooms.historian.last(tenant, tag) else { return Ok(Vec::new()) };
    let span = Span { to: span.to.min(newest.time), ..span };
    let read = |from: Timestamp, to: Timestamp, limit: usize| {
        let historian = rooms.historian.clone();
        async move {
            match historian.range(tenant, tag, from, to.saturating_add(1), limit).await {
                Ok(samples) => Ok(Some(samples)),
                Err(HistorianError::AnswerTooLarge { .. }) => Ok(None),
                Err(error) => Err(unavailable(error)),
            }
        }
    };
    newest_first(read, span, max).await
}
