//! One walk through the pipeline: rules become datapath actions, a mask and credits.
