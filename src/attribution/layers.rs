//! A choice of a model's layers.

use std::borrow::Cow;

use crate::scoring::RunError;

/// The layers that were asked for; all of the model where none were.
pub fn layers_or_all(asked: Option<&[usize]>, n_layers: usize) -> Cow<'_, [usize]> {
    asked.map_or_else(|| Cow::Owned((0..n_layers).collect()), Cow::Borrowed)
}

/// Whether a model has such a layer.
///
/// # Errors
///
/// [`RunError::Settings`].
pub fn check_layer(layer: usize, n_layers: usize) -> Result<(), RunError> {
    match layer < n_layers {
        true => Ok(()),
        false => Err(RunError::Settings(format!(
            "layer {layer} is outside the model's {n_layers} layers"
        ))),
    }
}

/// Whether a model has such layers, and each is given once.
///
/// # Errors
///
/// [`RunError::Settings`].
pub fn check_layers(layers: &[usize], n_layers: usize) -> Result<(), RunError> {
    let mut is_given = vec![false; n_layers];
    for &layer in layers {
        check_layer(layer, n_layers)?;
        if std::mem::replace(&mut is_given[layer], true) {
            return Err(RunError::Settings(format!("layer {layer} is given twice")));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_are_the_model_s_and_each_is_given_once() {
        assert_eq!(*layers_or_all(None, 3), [0, 1, 2]);
        assert_eq!(*layers_or_all(Some(&[2, 0]), 3), [2, 0]);
        assert!(check_layers(&[2, 0], 3).is_ok());
        for (layers, wanted) in [(vec![0, 3], "layer 3 is outside"), (vec![1, 1], "twice")] {
            let error = check_layers(&layers, 3).unwrap_err().to_string();
            assert!(error.contains(wanted), "{error}");
        }
    }
}
