//! `Packer`: packs the values of tools, and learns what pays.

use std::sync::{Arc, Mutex};

use penstock_core::pack::frames::{self, Packed};
use penstock_core::pack::parcel::Outline;
use penstock_core::pack::skip::Skipped;
use penstock_core::pack::{
    Dictionary, FRAME_BYTES, Form, Lanes, LanesConfig, Media, Parcel, Plan, Sheet, Source,
    Unreadable, dictionary,
};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};

use super::coders::Coders;
use super::convert::{self, Input};
use crate::convert::locked;
use crate::error;
use crate::host::bytes::filled;

/// Packs and unpacks for any number of threads.
#[pyclass(frozen, module = "penstock._native")]
pub(crate) struct Packer {
    lanes: Mutex<Lanes>,
    coders: Coders,
    threads: usize,
}

#[pymethods]
impl Packer {
    #[new]
    #[pyo3(signature = (*, threads=2))]
    fn new(threads: usize) -> Self {
        Self {
            lanes: Mutex::new(Lanes::new(LanesConfig::default())),
            coders: Coders::default(),
            threads: threads.clamp(1, 64),
        }
    }

    #[pyo3(signature = (value, tool="", media_type="", *, tenant="", form="bytes", purpose="keep"))]
    #[expect(clippy::too_many_arguments, reason = "keywords of one Python method")]
    fn pack<'py>(
        &self,
        py: Python<'py>,
        value: &Bound<'py, PyBytes>,
        tool: &str,
        media_type: &str,
        tenant: &str,
        form: &str,
        purpose: &str,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let said = Said::new(py, form, media_type)?;
        let source = said.source(tenant, tool);
        let packed = self.packed(py, value.as_bytes(), &source, purpose)?;
        said.render(py, &packed)
    }

    #[pyo3(signature = (value, tool="", media_type="", *, tenant="", form="bytes", purpose="keep"))]
    #[expect(clippy::too_many_arguments, reason = "keywords of one Python method")]
    fn try_pack<'py>(
        &self,
        py: Python<'py>,
        value: &Bound<'py, PyBytes>,
        tool: &str,
        media_type: &str,
        tenant: &str,
        form: &str,
        purpose: &str,
    ) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let said = Said::new(py, form, media_type)?;
        let source = said.source(tenant, tool);
        let packed = self.packed(py, value.as_bytes(), &source, purpose)?;
        if !packed.is_packed() {
            return Ok(None);
        }
        said.render(py, &packed).map(Some)
    }

    #[pyo3(signature = (parcel, max_bytes, *, tenant=""))]
    fn unpack<'py>(
        &self,
        py: Python<'py>,
        parcel: &Bound<'py, PyAny>,
        max_bytes: u64,
        tenant: &str,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let input = Input::of(parcel)?;
        let parcel = Parcel::parse(input.bytes()).map_err(|cause| error::unreadable(py, cause))?;
        let length = parcel
            .raw_length(max_bytes)
            .map_err(|cause| error::unreadable(py, cause))?;
        let known = self.known(py, tenant, parcel.sheet())?;
        let value = filled(py, length, |into| {
            self.fill(&parcel, into, known.as_deref())
        })?;
        value.map_err(|cause| error::unreadable(py, cause))
    }

    #[pyo3(signature = (parcel, offset, length, *, tenant=""))]
    fn read<'py>(
        &self,
        py: Python<'py>,
        parcel: &Bound<'py, PyAny>,
        offset: u64,
        length: usize,
        tenant: &str,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let input = Input::of(parcel)?;
        let parcel = Parcel::parse(input.bytes()).map_err(|cause| error::unreadable(py, cause))?;
        let known = self.known(py, tenant, parcel.sheet())?;
        let length = frames::readable(&parcel, offset, length);
        let part = filled(py, length, |into| {
            let with = known.as_deref();
            self.coders
                .lend(|coder| frames::read(coder, &parcel, offset, into, with))
        })?;
        part.map_err(|cause| error::unreadable(py, cause))
    }

    #[pyo3(signature = (header, part, offset, length, *, tenant=""))]
    fn read_part<'py>(
        &self,
        py: Python<'py>,
        header: &Bound<'py, PyBytes>,
        part: &Bound<'py, PyBytes>,
        offset: u64,
        length: usize,
        tenant: &str,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let outline = Outline::parse(header.as_bytes(), usize::MAX);
        let outline = outline.map_err(|cause| error::unreadable(py, cause))?;
        let known = self.known(py, tenant, outline.sheet())?;
        let length = frames::readable_of(outline.sheet(), offset, length);
        let part = part.as_bytes();
        let read = filled(py, length, |into| {
            let with = known.as_deref();
            self.coders
                .lend(|coder| frames::read_part(coder, &outline, part, offset, into, with))
        })?;
        read.map_err(|cause| error::unreadable(py, cause))
    }

    fn due(&self, py: Python<'_>) -> PyResult<Vec<(String, String)>> {
        let due = locked(py, &self.lanes)?.due();
        let names = due.into_iter();
        Ok(names
            .map(|(tenant, tool)| (tenant.into(), tool.into()))
            .collect())
    }

    fn train<'py>(
        &self,
        py: Python<'py>,
        tenant: &str,
        tool: &str,
    ) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let Some(samples) = locked(py, &self.lanes)?.take_samples(tenant, tool) else {
            return Ok(None);
        };
        let is_taken = |id| {
            self.lanes
                .lock()
                .is_ok_and(|lanes| lanes.is_taken(tenant, id))
        };
        let trained = py.detach(|| dictionary::train(&samples, is_taken));
        if trained.is_none() {
            locked(py, &self.lanes)?.rest(tenant, tool);
        }
        Ok(trained.map(|trained| PyBytes::new(py, trained.bytes())))
    }

    #[pyo3(name = "use")]
    fn use_dictionary(
        &self,
        py: Python<'_>,
        tenant: &str,
        tool: &str,
        dictionary: &[u8],
    ) -> PyResult<u32> {
        let loaded = load(py, dictionary, true)?;
        let id = loaded.id();
        locked(py, &self.lanes)?.use_dictionary(tenant, tool, loaded);
        Ok(id)
    }

    fn know(&self, py: Python<'_>, tenant: &str, dictionary: &[u8]) -> PyResult<u32> {
        let loaded = load(py, dictionary, false)?;
        let id = loaded.id();
        locked(py, &self.lanes)?.know(tenant, loaded);
        Ok(id)
    }

    fn dictionary<'py>(
        &self,
        py: Python<'py>,
        tenant: &str,
        id: u32,
    ) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let known = locked(py, &self.lanes)?.dictionary(tenant, id);
        Ok(known.map(|known| PyBytes::new(py, known.bytes())))
    }

    fn statistics<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let statistics = locked(py, &self.lanes)?.statistics();
        let counts = PyDict::new(py);
        counts.set_item("raw_bytes_in", statistics.raw_bytes)?;
        counts.set_item("raw_bytes_out", statistics.raw_bytes)?;
        counts.set_item("zstd_bytes_in", statistics.packed_bytes_in)?;
        counts.set_item("zstd_bytes_out", statistics.packed_bytes_out)?;
        for (name, values) in Skipped::NAMES.iter().zip(statistics.skipped) {
            counts.set_item(format!("skipped_{name}"), values)?;
        }
        counts.set_item("lanes", statistics.lanes)?;
        counts.set_item("dictionaries", statistics.dictionaries)?;
        counts.set_item("sample_bytes", statistics.sample_bytes)?;
        Ok(counts)
    }
}

impl Packer {
    /// Packs as planned, without a lock, and reports what came of it.
    fn packed<'a>(
        &self,
        py: Python<'_>,
        value: &'a [u8],
        source: &Source<'_>,
        purpose: &str,
    ) -> PyResult<Packed<'a>> {
        let purpose = convert::purpose(py, purpose)?;
        let plan = locked(py, &self.lanes)?.plan(source, value.len(), purpose);
        let (packed, skipped) = match plan.skips(value) {
            Some(skipped) => (Packed::raw(value), Some(skipped)),
            None => (
                convert::run(py, value.len(), || self.pack_all(value, &plan)),
                None,
            ),
        };
        let outcome = packed
            .packed_length()
            .ok_or(skipped.unwrap_or(Skipped::Poor));
        locked(py, &self.lanes)?.record(source, &plan, value, outcome);
        Ok(packed)
    }

    fn pack_all<'a>(&self, value: &'a [u8], plan: &Plan) -> Packed<'a> {
        let with = plan.dictionary.as_deref();
        if value.len() <= FRAME_BYTES {
            return self
                .coders
                .lend(|coder| frames::pack(coder, value, plan.choice, with));
        }
        let jobs = value.chunks(FRAME_BYTES).enumerate();
        let level = plan.choice.level;
        let mut frames = self
            .coders
            .share(self.threads, jobs, |coder, (index, raw)| {
                (index, frames::pack_frame(coder, raw, level))
            });
        frames.sort_unstable_by_key(|(index, _)| *index);
        let frames = frames.into_iter().map(|(_, frame)| frame).collect();
        Packed::judge(value, frames)
    }

    fn fill(
        &self,
        parcel: &Parcel<'_>,
        into: &mut [u8],
        with: Option<&Dictionary>,
    ) -> Result<(), Unreadable> {
        if parcel.frame_count() == 1 {
            return self
                .coders
                .lend(|coder| frames::unpack(coder, parcel, into, with));
        }
        parcel.check()?;
        let jobs: Vec<_> = parcel
            .frames()
            .zip(into.chunks_mut(FRAME_BYTES))
            .enumerate()
            .collect();
        let all = self
            .coders
            .share(self.threads, jobs.into_iter(), |coder, job| {
                let (index, (packed, into)) = job;
                frames::unpack_frame(coder, parcel, index, packed, into, with)
            });
        all.into_iter().collect()
    }

    /// The dictionary that a parcel needs.
    fn known(
        &self,
        py: Python<'_>,
        tenant: &str,
        sheet: &Sheet<'_>,
    ) -> PyResult<Option<Arc<Dictionary>>> {
        match sheet.dictionary {
            0 => Ok(None),
            id => Ok(locked(py, &self.lanes)?.dictionary(tenant, id)),
        }
    }
}

/// What the caller says of a value.
#[derive(Clone, Copy)]
struct Said<'a> {
    form: Form,
    media: Media<'a>,
}

impl<'a> Said<'a> {
    fn new(py: Python<'_>, form: &str, media_type: &'a str) -> PyResult<Self> {
        Ok(Self {
            form: convert::form(py, form)?,
            media: convert::media(py, media_type)?,
        })
    }

    const fn source(&self, tenant: &'a str, tool: &'a str) -> Source<'a> {
        Source {
            tenant,
            tool,
            media: self.media.as_str(),
        }
    }

    fn render<'py>(&self, py: Python<'py>, packed: &Packed<'_>) -> PyResult<Bound<'py, PyBytes>> {
        let header = convert::run(py, packed.length(), || packed.header(self.form, self.media));
        filled(py, header.len() + packed.length(), |into| {
            packed.write(&header, into);
            Ok(())
        })?
    }
}

/// A dictionary takes 100 us and more to prepare: without the GIL.
fn load(py: Python<'_>, dictionary: &[u8], packs: bool) -> PyResult<Arc<Dictionary>> {
    let loaded = py.detach(|| Dictionary::load(dictionary, packs));
    let reason = "it is no dictionary, or a damaged one";
    loaded
        .map(Arc::new)
        .ok_or_else(|| error::raise(py, "ResultUnreadable", (reason,)))
}
