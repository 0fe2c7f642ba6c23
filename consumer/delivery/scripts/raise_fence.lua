-- After Redis lost its counter: lifts it over what the ledger has seen. ARGV: group, floor
if last_token() < tonumber(ARGV[2]) then redis.call('SET', KEYS[6], ARGV[2]) end
return redis.call('GET', KEYS[6])
