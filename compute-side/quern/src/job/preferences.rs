//! What a job asks of the devices that compute it, and how certain its answers shall be, as options
//! and a job file say it.

use super::spec::{SpecError, at_most};
use crate::{
    device::{HardwareChoice, RegionChoice},
    units::counted,
};
use clap::{Args, ValueEnum};
use quern_grid::replication::FailureProbability;
use quern_primitives::{
    device::{Class, Hardware, Line, Region},
    job::{HardwareSet, LineSet, Preferences, RegionSet},
    limits::PROCESSOR_POINTS_MAX,
};
use serde::{
    Deserialize, Deserializer,
    de::{self, IntoDeserializer as _},
};
use std::{fmt, marker::PhantomData};

/// What kind of line connects a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum LineChoice {
    /// Not told
    Unknown,
    /// Optical fibre
    Fibre,
    /// Television cable
    Cable,
    /// Telephone line
    Dsl,
    /// Satellite
    Satellite,
    /// Mobile telephone
    Mobile,
    /// None of these
    Other,
}

/// Which machines may be compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ClassChoice {
    /// x86-64 machines, which run the same machine code
    Pinned,
    /// Any machine
    Portable,
}

/// How devices agree on an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum AgreementChoice {
    /// Two devices of different accounts, which must agree; if they differ a referee computes the task
    Unanimous,
    /// One device, which is believed the more often the longer its record is without a fault, else two
    Adaptive,
    /// Three devices, or as many as `--replicas` says, of which more than half must agree
    Majority,
    /// One device, which is believed
    Single,
}

/// What a job asks of devices. In a job file it is the table `devices`, whose keys are the names of these
/// options; those of which there may be several are taken in the plural too.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct DeviceOptions {
    /// Only devices that the council verified
    #[arg(long)]
    trusted: bool,
    /// Only devices in these regions; separated by commas, or given several times [default: any]
    #[arg(
        long,
        alias = "regions",
        value_enum,
        value_delimiter = ',',
        value_name = "REGION"
    )]
    #[serde(alias = "regions", deserialize_with = "one_or_more")]
    region: Vec<RegionChoice>,
    /// Only these kinds of machine [default: any]
    #[arg(long, value_enum, value_delimiter = ',', value_name = "KIND")]
    #[serde(deserialize_with = "one_or_more")]
    hardware: Vec<HardwareChoice>,
    /// Only devices on these kinds of line [default: any]
    #[arg(
        long,
        alias = "lines",
        value_enum,
        value_delimiter = ',',
        value_name = "LINE"
    )]
    #[serde(alias = "lines", deserialize_with = "one_or_more")]
    line: Vec<LineChoice>,
    /// Only devices with a GPU
    #[arg(long)]
    gpu: bool,
    /// Only devices whose processor has at least so many points of its score, up to 500
    #[arg(long, value_name = "N")]
    #[serde(alias = "processor_points_min")]
    processor_points_min: Option<u16>,
    /// Only devices whose worker has at least this version
    #[arg(long, value_name = "N")]
    #[serde(alias = "worker_version_min")]
    worker_version_min: Option<u16>,
}

/// How certain the answers shall be, as a table of a job file.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct AgreementTable {
    pub(super) mode: Option<AgreementChoice>,
    pub(super) replicas: Option<u8>,
    pub(super) referees: Option<u8>,
    pub(super) single: bool,
    #[serde(alias = "failure_probability_max", deserialize_with = "probability")]
    pub(super) failure_probability_max: Option<FailureProbability>,
    #[serde(alias = "wrong_at_most", deserialize_with = "probability")]
    pub(super) wrong_at_most: Option<FailureProbability>,
}

impl DeviceOptions {
    /// These options, and what a job file says where they say nothing.
    pub(super) fn over(self, file: Self) -> Self {
        fn or<T>(these: Vec<T>, those: Vec<T>) -> Vec<T> {
            if these.is_empty() { those } else { these }
        }
        Self {
            trusted: self.trusted || file.trusted,
            region: or(self.region, file.region),
            hardware: or(self.hardware, file.hardware),
            line: or(self.line, file.line),
            gpu: self.gpu || file.gpu,
            processor_points_min: self.processor_points_min.or(file.processor_points_min),
            worker_version_min: self.worker_version_min.or(file.worker_version_min),
        }
    }

    /// Checks the options.
    pub(crate) fn check(&self) -> Result<Preferences, SpecError> {
        let points = self.processor_points_min.unwrap_or(0);
        at_most(
            "processor-points-min",
            points.into(),
            PROCESSOR_POINTS_MAX.into(),
        )?;
        Ok(Preferences {
            trusted: self.trusted,
            regions: RegionSet::only(self.region.iter().map(|region| Region::from(*region))),
            hardware: HardwareSet::only(self.hardware.iter().map(|kind| Hardware::from(*kind))),
            lines: LineSet::only(self.line.iter().map(|line| Line::from(*line))),
            gpu: self.gpu,
            processor_points_min: points,
            worker_version_min: self.worker_version_min.unwrap_or(0),
        })
    }
}

impl From<LineChoice> for Line {
    fn from(choice: LineChoice) -> Self {
        match choice {
            LineChoice::Unknown => Self::Unknown,
            LineChoice::Fibre => Self::Fibre,
            LineChoice::Cable => Self::Cable,
            LineChoice::Dsl => Self::Dsl,
            LineChoice::Satellite => Self::Satellite,
            LineChoice::Mobile => Self::Mobile,
            LineChoice::Other => Self::Other,
        }
    }
}

impl From<ClassChoice> for Class {
    fn from(choice: ClassChoice) -> Self {
        match choice {
            ClassChoice::Pinned => Self::Pinned,
            ClassChoice::Portable => Self::Portable,
        }
    }
}

/// What a job asks of devices, in words; nothing if it asks for nothing.
pub(crate) fn in_words(preferences: &Preferences) -> Option<String> {
    let mut parts = Vec::new();
    if preferences.trusted {
        parts.push("verified by the council".to_owned());
    }
    parts.extend(one_of("in", preferences.regions.named().map(region)));
    parts.extend(one_of(
        "of the kind",
        preferences.hardware.named().map(hardware),
    ));
    parts.extend(one_of("on", preferences.lines.named().map(line)));
    if preferences.gpu {
        parts.push("with a GPU".to_owned());
    }
    if preferences.processor_points_min > 0 {
        let points = preferences.processor_points_min;
        parts.push(format!(
            "with a processor of at least {}",
            counted(points, "point")
        ));
    }
    if preferences.worker_version_min > 0 {
        let version = preferences.worker_version_min;
        parts.push(format!("with a worker of version {version} or newer"));
    }
    (!parts.is_empty()).then(|| parts.join(", "))
}

fn one_of(what: &str, kinds: impl Iterator<Item = &'static str>) -> Option<String> {
    let kinds: Vec<_> = kinds.collect();
    (!kinds.is_empty()).then(|| format!("{what} {}", kinds.join(" or ")))
}

fn region(region: Region) -> &'static str {
    match region {
        Region::Unknown => "a region not told",
        Region::Americas => "the Americas",
        Region::Europe => "Europe",
        Region::AsiaPacific => "Asia and Pacific",
    }
}

fn hardware(hardware: Hardware) -> &'static str {
    match hardware {
        Hardware::Unknown => "not told",
        Hardware::Mobile => "mobile",
        Hardware::Laptop => "laptop",
        Hardware::Desktop => "desktop",
        Hardware::Server => "server",
    }
}

fn line(line: Line) -> &'static str {
    match line {
        Line::Unknown => "a line not told",
        Line::Fibre => "fibre",
        Line::Cable => "cable",
        Line::Dsl => "DSL",
        Line::Satellite => "satellite",
        Line::Mobile => "a mobile network",
        Line::Other => "another line",
    }
}

/// Reads a list, or a list of one from what stands alone.
fn one_or_more<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    deserializer.deserialize_any(OneOrMore(PhantomData))
}

struct OneOrMore<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> de::Visitor<'de> for OneOrMore<T> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name, or a list of names")
    }

    fn visit_str<E: de::Error>(self, name: &str) -> Result<Self::Value, E> {
        T::deserialize(name.into_deserializer()).map(|only| vec![only])
    }

    fn visit_seq<A: de::SeqAccess<'de>>(self, mut names: A) -> Result<Self::Value, A::Error> {
        let mut all = Vec::new();
        while let Some(one) = names.next_element()? {
            all.push(one);
        }
        Ok(all)
    }
}

/// Reads what a job file says of the agreement: a table, or the mode alone.
pub(super) fn agreement<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<AgreementTable, D::Error> {
    deserializer.deserialize_any(ModeOrTable)
}

struct ModeOrTable;

impl<'de> de::Visitor<'de> for ModeOrTable {
    type Value = AgreementTable;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of an agreement, or a table")
    }

    fn visit_str<E: de::Error>(self, name: &str) -> Result<Self::Value, E> {
        Ok(AgreementTable {
            mode: Some(AgreementChoice::deserialize(name.into_deserializer())?),
            ..AgreementTable::default()
        })
    }

    fn visit_map<A: de::MapAccess<'de>>(self, table: A) -> Result<Self::Value, A::Error> {
        AgreementTable::deserialize(de::value::MapAccessDeserializer::new(table))
    }
}

/// Reads a probability from a number, or from a text such as `1%`.
pub(super) fn probability<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<FailureProbability>, D::Error> {
    deserializer.deserialize_any(Probability).map(Some)
}

struct Probability;

impl de::Visitor<'_> for Probability {
    type Value = FailureProbability;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number from 0 to 1, or a text such as \"1%\"")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
        text.parse().map_err(E::custom)
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Self::Value, E> {
        FailureProbability::new(value).map_err(E::custom)
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Self::Value, E> {
        self.visit_f64(value as f64)
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Self::Value, E> {
        self.visit_f64(value as f64)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::job::spec::{Certainty, JobOptions, JobSpec};
    use clap::Parser;
    use quern_primitives::job::{Agreement, Referees};
    use std::{error::Error as _, path::Path};

    const START: &str = "program = 'p'\ninput = 'i'\nsplit = 'none'\n";

    fn parse(text: &str) -> Result<JobOptions, SpecError> {
        JobOptions::parse(&format!("{START}{text}"), Path::new("job.toml"))
    }

    fn spec(text: &str) -> JobSpec {
        parse(text).unwrap().check().unwrap()
    }

    #[derive(Parser, Debug)]
    struct Typed {
        #[command(flatten)]
        options: JobOptions,
    }

    fn typed(line: &str) -> Result<JobOptions, clap::Error> {
        let words = ["job"].into_iter().chain(line.split_whitespace());
        Typed::try_parse_from(words).map(|typed| typed.options)
    }

    const DEVICES: &str = "[devices]\ntrusted = true\nregion = ['europe', 'asia-pacific']\n\
        hardware = ['desktop', 'server']\nline = ['fibre', 'cable']\ngpu = true\n\
        processor-points-min = 100\nworker-version-min = 2\n";

    fn all() -> Preferences {
        Preferences {
            trusted: true,
            regions: RegionSet::only([Region::Europe, Region::AsiaPacific]),
            hardware: HardwareSet::only([Hardware::Desktop, Hardware::Server]),
            lines: LineSet::only([Line::Fibre, Line::Cable]),
            gpu: true,
            processor_points_min: 100,
            worker_version_min: 2,
        }
    }

    #[test]
    fn a_job_file_and_options_ask_for_the_same() {
        assert_eq!(spec(DEVICES).preferences, all());
        // Keys are taken as they are spelled in JSON, too.
        let in_json = DEVICES
            .replace("-min", "_min")
            .replace("processor-", "processor_")
            .replace("worker-", "worker_")
            .replace("asia-pacific", "asia_pacific");
        assert_eq!(spec(&in_json).preferences, all());
        let line = "--trusted --region europe,asia-pacific --hardware desktop --hardware server \
            --line fibre --line cable --gpu --processor-points-min 100 --worker-version-min 2";
        let typed = typed(line).unwrap();
        let spec = typed.over(parse("").unwrap()).check().unwrap();
        assert_eq!(spec.preferences, all());
    }

    #[test]
    fn what_there_may_be_several_of_is_asked_for_in_the_singular_or_the_plural_alike() {
        let plural = DEVICES
            .replace("region =", "regions =")
            .replace("line =", "lines =");
        assert_eq!(spec(&plural).preferences, all());
        let options = typed("--regions europe --lines fibre").unwrap();
        let typed = options.over(parse("").unwrap()).check().unwrap();
        let one = spec("[devices]\nregion = 'europe'\nline = 'fibre'");
        assert_eq!(one.preferences, typed.preferences);
        assert_eq!(one.preferences.regions, RegionSet::only([Region::Europe]));
        // One thing is not said twice.
        assert!(parse("[devices]\nregion = 'europe'\nregions = ['americas']").is_err());
    }

    #[test]
    fn options_override_what_the_file_asks_of_devices_key_by_key() {
        let typed = typed("--region americas").unwrap();
        let spec = typed.over(parse(DEVICES).unwrap()).check().unwrap();
        let regions = RegionSet::only([Region::Americas]);
        assert_eq!(spec.preferences, Preferences { regions, ..all() });
    }

    #[test]
    fn how_many_referees_there_are_stands_in_the_table_of_the_agreement_or_beside_it() {
        for text in [
            "referees = 3",
            "[agreement]\nmode = 'unanimous'\nreferees = 3",
        ] {
            assert_eq!(spec(text).referees, Referees::Three, "{text}");
        }
        let typed = typed("--referees 3").unwrap();
        let spec = typed.over(parse("referees = 1").unwrap()).check();
        assert_eq!(spec.unwrap().referees, Referees::Three);
        let twice = parse("referees = 3\n[agreement]\nreferees = 3").unwrap_err();
        assert!(twice.to_string().contains("`agreement.referees`"));
    }

    #[test]
    fn a_failure_probability_stands_in_place_of_a_number_of_replicas() {
        let accepted = |value| Certainty::FailureAtMost(FailureProbability::new(value).unwrap());
        for text in [
            "[agreement]\nfailure-probability-max = 0.01",
            "[agreement]\nfailure_probability_max = '1%'",
            "failure-probability-max = 0.01",
        ] {
            assert_eq!(spec(text).certainty, accepted(0.01), "{text}");
        }
        let five = Agreement::Majority { replicas: 5 };
        let table = "[agreement]\nreplicas = 5";
        assert_eq!(spec(table).certainty, Certainty::Agreement(five));
        let single = Certainty::Agreement(Agreement::Single);
        assert_eq!(spec("[agreement]\nsingle = true").certainty, single);
        let mode = "[agreement]\nmode = 'adaptive'";
        assert_eq!(
            spec(mode).certainty,
            Certainty::Agreement(Agreement::Adaptive)
        );
        // An option of either kind takes the place of what the file says.
        let typed = typed("--failure-probability-max 2%").unwrap();
        let spec = typed.over(parse(table).unwrap()).check().unwrap();
        assert_eq!(spec.certainty, accepted(0.02));
    }

    #[test]
    fn how_likely_a_wrong_answer_may_be_stands_in_place_of_an_agreement() {
        let accepted = |value| Certainty::WrongAtMost(FailureProbability::new(value).unwrap());
        for text in [
            "[agreement]\nwrong-at-most = 0.01",
            "[agreement]\nwrong_at_most = '1%'",
            "wrong-at-most = 0.01",
        ] {
            assert_eq!(spec(text).certainty, accepted(0.01), "{text}");
        }
        let file = parse("agreement = 'majority'").unwrap();
        let spec = typed("--wrong-at-most 1e-6").unwrap().over(file).check();
        assert_eq!(spec.unwrap().certainty, accepted(1e-6));
        // An option of the other kind takes the place of what the file says.
        let file = parse("wrong-at-most = 0.01").unwrap();
        let spec = typed("--single").unwrap().over(file).check();
        let single = Certainty::Agreement(Agreement::Single);
        assert_eq!(spec.unwrap().certainty, single);
    }

    #[test]
    fn two_devices_must_agree_where_nothing_is_said() {
        let unanimous = Certainty::Agreement(Agreement::Unanimous);
        assert_eq!(spec("").certainty, unanimous);
        assert_eq!(spec("[agreement]").certainty, unanimous);
    }

    #[test]
    fn an_agreement_has_a_name_in_a_file_and_as_an_option() {
        let (three, five) = (
            Agreement::Majority { replicas: 3 },
            Agreement::Majority { replicas: 5 },
        );
        for (said, agreement) in [
            ("unanimous", Agreement::Unanimous),
            ("adaptive", Agreement::Adaptive),
            ("majority", three),
            ("single", Agreement::Single),
        ] {
            let agreement = Certainty::Agreement(agreement);
            assert_eq!(spec(&format!("agreement = '{said}'")).certainty, agreement);
            let table = format!("[agreement]\nmode = '{said}'");
            assert_eq!(spec(&table).certainty, agreement);
            let options = typed(&format!("--agreement {said}")).unwrap();
            // What is typed counts, whatever the file says.
            let file = parse("replicas = 5").unwrap();
            assert_eq!(options.over(file).check().unwrap().certainty, agreement);
        }
        // A number of replicas is a majority's.
        for text in ["replicas = 5", "agreement = 'majority'\nreplicas = 5"] {
            assert_eq!(spec(text).certainty, Certainty::Agreement(five), "{text}");
        }
        let file = parse("agreement = 'adaptive'").unwrap();
        let spec = typed("--replicas 5").unwrap().over(file).check().unwrap();
        assert_eq!(spec.certainty, Certainty::Agreement(five));
    }

    #[test]
    fn what_excludes_each_other_or_is_too_much_is_named() {
        let error = |text: &str| match parse(text) {
            Ok(options) => options.check().unwrap_err().to_string(),
            Err(error) => error.to_string(),
        };
        let both = error("replicas = 5\n[agreement]\nreplicas = 3");
        assert!(
            both.contains("`replicas` and `agreement.replicas`"),
            "{both}"
        );
        let both = error("replicas = 5\n[agreement]\nfailure-probability-max = 0.1");
        assert!(
            both.contains("`failure-probability-max` and `replicas`"),
            "{both}"
        );
        let both = error("[agreement]\nsingle = true\nfailure-probability-max = 0.1");
        assert!(both.contains("`single`"), "{both}");
        for said in ["unanimous", "adaptive", "single"] {
            let both = error(&format!("agreement = '{said}'\nreplicas = 3"));
            assert!(both.contains("`agreement` and `replicas`"), "{both}");
        }
        let both = error("agreement = 'majority'\nsingle = true");
        assert!(both.contains("`agreement` and `single`"), "{both}");
        let both = error("agreement = 'majority'\nfailure-probability-max = 0.1");
        assert!(both.contains("`agreement`"), "{both}");
        let both = error("failure-probability-max = 0.1\nwrong-at-most = 0.1");
        let named = "`failure-probability-max` and `wrong-at-most`";
        assert!(both.contains(named), "{both}");
        let both = error("replicas = 3\n[agreement]\nwrong-at-most = 0.1");
        assert!(both.contains("`wrong-at-most` and `replicas`"), "{both}");
        let both = error("wrong-at-most = 0.2\n[agreement]\nwrong-at-most = 0.1");
        assert!(both.contains("`agreement.wrong-at-most`"), "{both}");
        assert!(typed("--wrong-at-most 1% --single").is_err());
        assert!(typed("--wrong-at-most 1% --failure-probability-max 1%").is_err());
        let much = error("[devices]\nprocessor-points-min = 501");
        assert!(much.contains("`processor-points-min` is 501"), "{much}");
        assert!(typed("--replicas 3 --failure-probability-max 1%").is_err());
        assert!(typed("--agreement majority --failure-probability-max 1%").is_err());
        assert!(typed("--agreement majority --single").is_err());
    }

    #[test]
    fn errors_of_a_table_name_what_is_wrong_in_it() {
        for (text, word) in [
            ("[devices]\nregions = ['atlantis']", "atlantis"),
            ("[devices]\nregion = 'lemuria'", "lemuria"),
            ("[devices]\nland = ['europe']", "land"),
            ("[devices]\nhardware = 5", "hardware"),
            ("[devices]\nlines = ['string']", "string"),
            (
                "[devices]\nprocessor-points-min = -1",
                "processor-points-min",
            ),
            (
                "[agreement]\nfailure-probability-max = 1.5",
                "failure-probability-max",
            ),
            ("[agreement]\nfailure-probability-max = 'rarely'", "rarely"),
            ("wrong-at-most = 'never'", "never"),
            ("[agreement]\nquorum = 3", "quorum"),
            ("[agreement]\nmode = 'loud'", "loud"),
            ("agreement = 'none'", "none"),
            ("agreement = 3", "agreement"),
            ("mode = 'single'", "mode"),
        ] {
            let error = parse(text).unwrap_err();
            let cause = error.source().map(ToString::to_string).unwrap_or_default();
            assert!(cause.contains(word), "{text}: {cause}");
        }
    }

    #[test]
    fn what_is_asked_for_is_told_in_words() {
        assert_eq!(in_words(&Preferences::default()), None);
        let words = in_words(&all()).unwrap();
        assert_eq!(
            words,
            "verified by the council, in Europe or Asia and Pacific, of the kind desktop or server, \
             on fibre or cable, with a GPU, with a processor of at least 100 points, \
             with a worker of version 2 or newer"
        );
    }
}
