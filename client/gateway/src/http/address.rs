//! The resources of the Studies Service (PS3.18 §10.1), as addresses name them.

use pcim_dicom::Level;

use crate::catalogue::Scope;
use crate::dimse::is_uid;

/// Most frames of one request.
const FRAMES_MAX: usize = 1000;

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wanted<'a> {
    /// A search at this level.
    Search(Level),
    /// The instances themselves.
    Instances,
    /// Their metadata.
    Metadata,
    /// A picture of a frame, counted from 1; of the first one unless another is named.
    Picture(usize),
    /// Frames, counted from 1.
    Frames(Vec<usize>),
    /// A bulk value, by its path.
    Bulk(Vec<&'a str>),
}

/// The resource that the parts of a path name; none if there is no such one.
pub(super) fn resource<'a>(parts: &[&'a str]) -> Option<(Scope<'a>, Wanted<'a>)> {
    let of = |study, series, instance| Scope {
        study,
        series,
        instance,
    };
    let (scope, rest) = match parts {
        ["studies", s, "series", e, "instances", i, rest @ ..]
            if [s, e, i].iter().all(|it| is_uid(it)) =>
        {
            (of(Some(s), Some(e), Some(i)), rest)
        }
        ["studies", s, "series", e, rest @ ..] if is_uid(s) && is_uid(e) => {
            (of(Some(s), Some(e), None), rest)
        }
        ["studies", s, rest @ ..] if is_uid(s) => (of(Some(s), None, None), rest),
        rest => (Scope::default(), rest),
    };
    let wanted = match (scope, rest) {
        (Scope { study: None, .. }, ["studies"]) => Wanted::Search(Level::Study),
        (Scope { series: None, .. }, ["series"]) => Wanted::Search(Level::Series),
        (Scope { instance: None, .. }, ["instances"]) => Wanted::Search(Level::Instance),
        (Scope { study: None, .. }, _) => return None,
        (_, []) => Wanted::Instances,
        (_, ["metadata"]) => Wanted::Metadata,
        (Scope { instance: None, .. }, _) => return None,
        (_, ["rendered"]) => Wanted::Picture(1),
        (_, ["frames", number, "rendered"]) => Wanted::Picture(frame(number)?),
        (_, ["frames", numbers]) => {
            let numbers = numbers.split(',').map(frame).collect::<Option<Vec<_>>>()?;
            Wanted::Frames(Some(numbers).filter(|it| it.len() <= FRAMES_MAX)?)
        }
        (_, ["bulkdata", path @ ..]) if !path.is_empty() => Wanted::Bulk(path.to_vec()),
        _ => return None,
    };
    Some((scope, wanted))
}

fn frame(text: &str) -> Option<usize> {
    let plain = text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|number| plain && *number > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(path: &str) -> Option<(Scope<'_>, Wanted<'_>)> {
        resource(&path.split('/').collect::<Vec<_>>())
    }

    #[test]
    fn addresses_name_resources_or_nothing() {
        let scope = |study, series, instance| Scope {
            study,
            series,
            instance,
        };
        let (s, e, i) = (Some("1.2"), Some("1.3"), Some("1.4"));
        for (path, place, wanted) in [
            (
                "studies",
                scope(None, None, None),
                Wanted::Search(Level::Study),
            ),
            (
                "series",
                scope(None, None, None),
                Wanted::Search(Level::Series),
            ),
            (
                "instances",
                scope(None, None, None),
                Wanted::Search(Level::Instance),
            ),
            (
                "studies/1.2/series",
                scope(s, None, None),
                Wanted::Search(Level::Series),
            ),
            (
                "studies/1.2/instances",
                scope(s, None, None),
                Wanted::Search(Level::Instance),
            ),
            (
                "studies/1.2/series/1.3/instances",
                scope(s, e, None),
                Wanted::Search(Level::Instance),
            ),
            ("studies/1.2", scope(s, None, None), Wanted::Instances),
            (
                "studies/1.2/series/1.3",
                scope(s, e, None),
                Wanted::Instances,
            ),
            (
                "studies/1.2/metadata",
                scope(s, None, None),
                Wanted::Metadata,
            ),
            (
                "studies/1.2/series/1.3/instances/1.4/metadata",
                scope(s, e, i),
                Wanted::Metadata,
            ),
            (
                "studies/1.2/series/1.3/instances/1.4/rendered",
                scope(s, e, i),
                Wanted::Picture(1),
            ),
            (
                "studies/1.2/series/1.3/instances/1.4/frames/1,3",
                scope(s, e, i),
                Wanted::Frames(vec![1, 3]),
            ),
            (
                "studies/1.2/series/1.3/instances/1.4/frames/2/rendered",
                scope(s, e, i),
                Wanted::Picture(2),
            ),
            (
                "studies/1.2/series/1.3/instances/1.4/bulkdata/7FE00010",
                scope(s, e, i),
                Wanted::Bulk(vec!["7FE00010"]),
            ),
        ] {
            assert_eq!(read(path), Some((place, wanted)), "{path}");
        }
        for path in [
            "",
            "studies/x",
            "series/1.3",
            "instances/1.4",
            "studies/1.2/instances/1.4",
            "studies/1.2/rendered",
            "studies/1.2/series/1.3/frames/1",
            "studies/1.2/series/1.3/instances/1.4/frames/0",
            "studies/1.2/series/1.3/instances/1.4/frames/+1",
            "studies/1.2/series/1.3/instances/1.4/frames/",
            "studies/1.2/series/1.3/instances/1.4/bulkdata",
            "studies/1.2/series/1.3/instances/1.4/more",
            "studies/1.2/studies",
        ] {
            assert_eq!(read(path), None, "{path}");
        }
    }
}
