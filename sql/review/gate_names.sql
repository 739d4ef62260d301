-- Gates of $profile that some clip passed or failed.
SELECT DISTINCT gate
FROM clip_gates
WHERE profile = $profile AND verdict IN ('pass', 'fail') AND measure IS NOT NULL  -- null: by an older package
ORDER BY gate
