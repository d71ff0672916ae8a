//! HistoryRead: stored values of tags (OPC 10000-11, clause 6.4.3).

use opcua::core::ResponseMessage;
use opcua::types::{
    ByteString, DataValue, ExtensionObject, HistoryData, HistoryReadRequest, HistoryReadResponse,
    HistoryReadResult, HistoryReadValueId, ReadRawModifiedDetails, ResponseHeader, StatusCode,
    TimestampsToReturn,
};
use weir_model::{Identifier, Sample, TagId, Timestamp};

use super::{Ask, bounded};
use crate::plant::{Node, Span};
use crate::session::HistoryPoint;
use crate::space::Target;
use crate::values::{bad, data_value, date_time, ranged, timestamp, value_bytes};

/// Samples that are asked of the plant at first: arrays and texts may be large.
const FIRST_STEP: usize = 64;

/// Samples that are asked of the plant at a time.
const STEP_MAX: usize = 8_192;

pub(super) async fn read(
    ask: &Ask<'_>,
    request: HistoryReadRequest,
) -> Result<ResponseMessage, StatusCode> {
    let header = ResponseHeader::new_good(&request.request_header);
    let wanted = bounded(request.nodes_to_read, ask.shared.limits.history_nodes_per_request_max)?;
    if request.release_continuation_points {
        let release = |wanted: &HistoryReadValueId| {
            let known = ask.session.take_history(&wanted.continuation_point).is_some();
            result(if known { StatusCode::Good } else { StatusCode::BadContinuationPointInvalid })
        };
        return Ok(response(header, wanted.iter().map(release).collect()));
    }
    // Only source times are stored.
    match request.timestamps_to_return {
        TimestampsToReturn::Source | TimestampsToReturn::Both => {}
        TimestampsToReturn::Server => return Err(StatusCode::BadTimestampNotSupported),
        _ => return Err(StatusCode::BadTimestampsToReturnInvalid),
    }
    let details = request
        .history_read_details
        .inner_as::<ReadRawModifiedDetails>()
        .ok_or(StatusCode::BadHistoryOperationUnsupported)?;
    if details.is_read_modified {
        return Err(StatusCode::BadHistoryOperationUnsupported);
    }
    let page_max = (ask.shared.limits.history_values_max / wanted.len()).max(1);
    let bytes_max = ask.shared.limits.message_bytes_max / 2 / wanted.len();
    let targets: Vec<Target> = wanted.iter().map(|wanted| Target::of(&wanted.node_id)).collect();
    let nodes = ask.nodes(targets.iter()).await?;
    let mut results = Vec::with_capacity(wanted.len());
    for (wanted, target) in wanted.iter().zip(&targets) {
        let tag = match target.identifier().and_then(|id| nodes.get(id)) {
            Some(Node::Tag(tag)) if matches!(target, Target::Thing(_)) => tag,
            Some(_) => {
                results.push(result(StatusCode::BadHistoryOperationUnsupported));
                continue;
            }
            None => {
                results.push(result(match target {
                    Target::Root => StatusCode::BadHistoryOperationUnsupported,
                    Target::Standard(id) if ask.shared.standard.exists(id) => {
                        StatusCode::BadHistoryOperationUnsupported
                    }
                    _ => StatusCode::BadNodeIdUnknown,
                }));
                continue;
            }
        };
        let begun = if wanted.continuation_point.is_null_or_empty() {
            begin(ask, details, &tag.id, tag.tag, page_max).await
        } else {
            let point = ask.session.take_history(&wanted.continuation_point);
            point
                .filter(|point| point.id == tag.id)
                .map(|point| (Vec::new(), point))
                .ok_or(StatusCode::BadContinuationPointInvalid)
        };
        let one = match begun {
            Ok((values, point)) => go_on(ask, wanted, values, point, bytes_max).await,
            Err(status) => Err(status),
        };
        results.push(one.unwrap_or_else(result));
    }
    Ok(response(header, results))
}

fn response(response_header: ResponseHeader, results: Vec<HistoryReadResult>) -> ResponseMessage {
    HistoryReadResponse { response_header, results: Some(results), diagnostic_infos: None }.into()
}

fn result(status_code: StatusCode) -> HistoryReadResult {
    HistoryReadResult {
        status_code,
        continuation_point: ByteString::null(),
        history_data: ExtensionObject::null(),
    }
}

/// What a request asks for, as a span and pages of it.
#[derive(Debug, PartialEq)]
struct Plan {
    span: Span,
    /// Values that are wanted at all, where the request names no end.
    left: Option<usize>,
    page: usize,
    /// Where values beyond the ends are wanted: the first and the last time.
    bounds: Option<(Timestamp, Option<Timestamp>)>,
}

/// Reads start, end and number, of which two are enough.
fn plan(details: &ReadRawModifiedDetails, page_max: usize) -> Result<Plan, StatusCode> {
    let given = |time: &opcua::types::DateTime| (!time.is_null()).then(|| timestamp(time));
    let (start, end) = (given(&details.start_time), given(&details.end_time));
    let number = details.num_values_per_node as usize;
    let page = if number == 0 { page_max } else { number.min(page_max) };
    let bounds = |start, end| details.return_bounds.then_some((start, end));
    let plan = |from, to, newest_first, left, bounds| Plan {
        span: Span { from, to, newest_first },
        left,
        page,
        bounds,
    };
    // The start is part of the range, the end is not.
    match (start, end) {
        (Some(start), Some(end)) if start == end => {
            Ok(plan(start, end, false, None, bounds(start, Some(end))))
        }
        (Some(start), Some(end)) if start < end => {
            Ok(plan(start, end.saturating_add(-1), false, None, bounds(start, Some(end))))
        }
        (Some(start), Some(end)) => {
            Ok(plan(end.saturating_add(1), start, true, None, bounds(start, Some(end))))
        }
        (Some(start), None) if number > 0 => {
            Ok(plan(start, Timestamp::MAX, false, Some(number), bounds(start, None)))
        }
        (None, Some(end)) if number > 0 => {
            Ok(plan(Timestamp::MIN, end, true, Some(number), bounds(end, None)))
        }
        _ => Err(StatusCode::BadHistoryOperationInvalid),
    }
}

/// Starts a read: the value before the range, if it is wanted, and where to go on.
async fn begin(
    ask: &Ask<'_>,
    details: &ReadRawModifiedDetails,
    id: &Identifier,
    tag: TagId,
    page_max: usize,
) -> Result<(Vec<DataValue>, HistoryPoint), StatusCode> {
    let Plan { span, left, page, bounds } = plan(details, page_max)?;
    let mut values = Vec::new();
    if let Some((start, _)) = bounds {
        values.extend(beyond(ask, tag, start, !span.newest_first).await?);
    }
    let bound = bounds.and_then(|(_, end)| end);
    Ok((values, HistoryPoint { tag, id: id.clone(), span, left, page, bound }))
}

/// The value at or beyond an end of the range, looking backwards or forwards; what says that there is
/// none. Nothing, if the range itself has a value there.
async fn beyond(
    ask: &Ask<'_>,
    tag: TagId,
    end: Timestamp,
    backwards: bool,
) -> Result<Option<DataValue>, StatusCode> {
    let span = if backwards {
        Span { from: Timestamp::MIN, to: end, newest_first: true }
    } else {
        Span { from: end, to: Timestamp::MAX, newest_first: false }
    };
    Ok(match stored(ask, tag, span, 1).await?.first() {
        Some(sample) if sample.time == end => None,
        Some(sample) => Some(source_value(sample)),
        None => {
            let source_timestamp = Some(date_time(end).0);
            Some(DataValue { source_timestamp, ..bad(StatusCode::BadBoundNotFound) })
        }
    })
}

fn source_value(sample: &Sample) -> DataValue {
    data_value(sample, sample.time, TimestampsToReturn::Source)
}

/// One answer's worth of values, and a continuation point if there are more.
async fn go_on(
    ask: &Ask<'_>,
    wanted: &HistoryReadValueId,
    mut values: Vec<DataValue>,
    mut point: HistoryPoint,
    bytes_max: usize,
) -> Result<HistoryReadResult, StatusCode> {
    let page = point.left.map_or(point.page, |left| point.page.min(left));
    let room = page.saturating_sub(values.len()).max(1);
    let before = values.len();
    let (last, more) = fill(ask, &mut point, room, bytes_max, &mut values).await?;
    let told = values.len() - before;
    point.left = point.left.map(|left| left.saturating_sub(told));
    let mut answer = result(StatusCode::Good);
    if more && point.left != Some(0) {
        answer.continuation_point = ask.session.keep_history(point)?;
    } else if let Some(end) = point.bound {
        values.extend(end_value(ask, &point, end, last).await?);
    }
    if values.is_empty() {
        answer.status_code = StatusCode::GoodNoData;
    }
    let ranged = |value| ranged(value, &wanted.index_range);
    let data_values = Some(values.into_iter().map(ranged).collect());
    answer.history_data = ExtensionObject::from_message(HistoryData { data_values });
    Ok(answer)
}

/// Reads until a page or its bytes are full; gives the last time and whether there is more. The span
/// begins behind what was read.
async fn fill(
    ask: &Ask<'_>,
    point: &mut HistoryPoint,
    room: usize,
    bytes_max: usize,
    values: &mut Vec<DataValue>,
) -> Result<(Option<Timestamp>, bool), StatusCode> {
    let (mut told, mut bytes, mut last) = (0, 0, None);
    // How large samples are is known once some were read.
    let mut step = FIRST_STEP;
    while told < room && bytes < bytes_max && point.span.from <= point.span.to {
        let asked = step.min(room - told);
        let found = stored(ask, point.tag, point.span, asked).await?;
        for sample in &found {
            bytes += value_bytes(sample.value.as_ref());
            values.push(source_value(sample));
            last = Some(sample.time);
            let newest_first = point.span.newest_first;
            match (newest_first, sample.time.nanos().checked_add(if newest_first { -1 } else { 1 }))
            {
                (true, Some(nanos)) => point.span.to = Timestamp::from_nanos(nanos),
                (false, Some(nanos)) => point.span.from = Timestamp::from_nanos(nanos),
                // Nothing is beyond the end of time.
                (_, None) => return Ok((last, false)),
            }
        }
        told += found.len();
        if found.len() < asked {
            return Ok((last, false));
        }
        let size = (bytes / told.max(1)).max(1);
        step = (bytes_max.saturating_sub(bytes) / size).clamp(1, STEP_MAX);
    }
    if point.span.from > point.span.to {
        return Ok((last, false));
    }
    let next = stored(ask, point.tag, point.span, 1).await?;
    Ok((last, !next.is_empty()))
}

/// The value at or behind the end of the range, which the range itself leaves out.
async fn end_value(
    ask: &Ask<'_>,
    point: &HistoryPoint,
    end: Timestamp,
    last: Option<Timestamp>,
) -> Result<Option<DataValue>, StatusCode> {
    if last == Some(end) {
        return Ok(None);
    }
    if let Some(value) = beyond(ask, point.tag, end, point.span.newest_first).await? {
        return Ok(Some(value));
    }
    let span = Span { from: end, to: end, newest_first: false };
    Ok(stored(ask, point.tag, span, 1).await?.first().map(source_value))
}

async fn stored(
    ask: &Ask<'_>,
    tag: TagId,
    span: Span,
    max: usize,
) -> Result<Vec<Sample>, StatusCode> {
    ask.shared.plant.history(ask.deadline, &ask.principal, tag, span, max).await
}

#[cfg(test)]
mod tests {
    use opcua::types::DateTime;

    use super::*;

    fn details(start: Option<i64>, end: Option<i64>, number: u32) -> ReadRawModifiedDetails {
        let time = |second: Option<i64>| {
            second.map_or_else(DateTime::null, |s| {
                date_time(Timestamp::from_nanos(s * 1_000_000_000)).0
            })
        };
        ReadRawModifiedDetails {
            is_read_modified: false,
            start_time: time(start),
            end_time: time(end),
            num_values_per_node: number,
            return_bounds: false,
        }
    }

    #[test]
    fn two_of_start_end_and_number_are_enough() {
        let read = |start, end, number| {
            plan(&details(start, end, number), 100).map(|plan| {
                let Span { from, to, newest_first } = plan.span;
                (from.nanos(), to.nanos(), newest_first, plan.left, plan.page)
            })
        };
        let second = 1_000_000_000;
        assert_eq!(read(Some(1), Some(3), 0), Ok((second, 3 * second - 1, false, None, 100)));
        assert_eq!(read(Some(3), Some(1), 9), Ok((second + 1, 3 * second, true, None, 9)));
        assert_eq!(read(Some(2), Some(2), 0), Ok((2 * second, 2 * second, false, None, 100)));
        assert_eq!(read(Some(1), None, 500), Ok((second, i64::MAX, false, Some(500), 100)));
        assert_eq!(read(None, Some(1), 5), Ok((i64::MIN, second, true, Some(5), 5)));
        for (start, end, number) in [(None, None, 5), (Some(1), None, 0), (None, Some(1), 0)] {
            let refused = read(start, end, number);
            assert_eq!(refused, Err(StatusCode::BadHistoryOperationInvalid));
        }
    }
}
