//! The surface of the WebAssembly module: it works on the memory of the engine, which calls it through the page's worker. Its constants
//! lie at the far end of the engine's stack, where the command that builds it puts them.

use core::panic::PanicInfo;

use crate::Call;

/// Fills some parts of a call's output.
///
/// # Safety
///
/// `call` was made by the engine, compiled from the same source, and stays meanwhile; `out` and the parts are as
/// [`Call::fill`] needs them; `scratch` has as many numbers as it needs, for these parts alone.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fill(
    call: &Call<'_>,
    out: *mut f32,
    from: usize,
    to: usize,
    scratch: *mut f32,
) {
    // SAFETY: the caller's.
    unsafe {
        let scratch = core::slice::from_raw_parts_mut(scratch, call.scratch());
        call.fill(out, from..to, scratch);
    }
}

/// A fault of the engine's: it ends.
#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    core::arch::wasm32::unreachable()
}
