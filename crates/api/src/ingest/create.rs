//! Tags that are made because series were sent that have none.

use weir_ingest::NewTag;
use weir_model::ProblemCode;
use weir_resolver::{Kind, Minter};
use weir_twin::{Draft, Names, Tag};

use crate::door::Visit;
use crate::failure::Failure;

/// Makes the tags that are not there by now, by name, in one commit.
///
/// # Errors
/// 403 where the caller would not see them, 409 where the organisation has as many tags as it gets
/// by itself, and what the documents refuse.
pub(super) async fn create(visit: &Visit, new: Vec<NewTag>) -> Result<(), Failure> {
    let organisation = visit.organisation()?;
    crate::routes::within_ceiling(visit, None, None)?;
    let visitor = visit.clone();
    let made = visit
        .change_many("tag.create", move |snap, commit| {
            let missing = missing(&visitor, &new)?;
            if missing.is_empty() {
                return Ok((None, 0));
            }
            let mut draft = Draft::new(snap, commit);
            let mut minter = Minter::new(snap, visitor.tenant(), organisation.prefix.clone())?;
            for new in &missing {
                let id = minter.mint(draft.commit_mut(), Kind::Tag, None, &new.name)?;
                let number = draft.next_tag()?;
                draft.create_tag(&Tag {
                    id,
                    tag: number,
                    name: new.name.clone(),
                    names: Names::new(),
                    description: new.description.clone(),
                    asset: None,
                    unit: None,
                    data_type: new.data_type,
                    interpolation: None,
                    grade: None,
                    domain: None,
                    range: None,
                    labels: Default::default(),
                    source: None,
                })?;
            }
            Ok((Some(draft.finish()?), missing.len()))
        })
        .await?;
    tracing::info!(tags = made, principal = %visit.caller().principal, "series became tags");
    Ok(())
}

/// Those that are not there, if there is room for them.
fn missing<'n>(visit: &Visit, new: &'n [NewTag]) -> Result<Vec<&'n NewTag>, Failure> {
    let tags_max = visit.state().limits.series_tags_max;
    visit.directory(|view| {
        let is_there = |new: &NewTag| {
            view.tags_by_name(&new.name).any(|tag| visit.sees(view.grade_of_tag(tag)))
        };
        let missing: Vec<&NewTag> = new.iter().filter(|new| !is_there(new)).collect();
        if view.tag_count() + missing.len() > tags_max {
            let detail = format!(
                "The organisation would have more than {tags_max} tags, which is as many as series \
                 make by themselves; make further ones through /api/v1/tags."
            );
            return Err(Failure::new(ProblemCode::Conflict, detail));
        }
        Ok(missing)
    })?
}
