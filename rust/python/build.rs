//! Publishes PyO3's `Py_3_12`-style flags: the private asyncio functions differ between Python versions.

fn main() {
    pyo3_build_config::use_pyo3_cfgs();
}
