"""GatedEvaluator: TFX's Evaluator, which judges by absolute thresholds alone while nothing is served."""
