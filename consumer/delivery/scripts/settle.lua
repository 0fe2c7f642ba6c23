-- Ends deliveries, each atomically with what follows from it.
-- ARGV: group, consumer, lease ms, dead letters kept, JSON [[id, key, ending, detail, successors], ...]
-- -> for each OK, or LOST when another consumer holds the entry (then nothing was written)
local consumer, lease_ms = ARGV[2], tonumber(ARGV[3])

local function settle(item)
  local id, key, ending, detail, successors = item[1], item[2], item[3], item[4], item[5]
  local pending = owned(id, consumer)
  if not pending then return 'LOST' end
  if ending == 'release' or ending == 'abandon' then
    -- Released: this delivery, *detail*, does not count; by its number, since the script may be sent more than once.
    -- Abandoned: it does, so that what is lost every time comes to an end.
    local deliveries = ending == 'release' and math.max((tonumber(detail) or pending[4]) - 1, 0) or pending[4]
    hand_back(id, consumer, lease_ms, deliveries)
    return 'OK'
  end
  if ending == 'dead' then
    redis.call('XADD', KEYS[5], 'MAXLEN', '~', ARGV[4], '*', unpack(detail))
  elseif ending == 'retry' then
    park(detail)
  end
  unregister(key, id)
  for _, message in ipairs(successors) do put(message) end
  remove(id)
  return 'OK'
end

-- Everything is decoded before the first write: a script that fails is not rolled back.
return each(cjson.decode(ARGV[5]), settle)
