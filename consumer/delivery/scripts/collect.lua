-- Removes consumers that hold nothing and have been silent for long. ARGV: group, idle ms, [consumer to remove when it holds nothing]
local removed = 0
for _, row in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[1], GROUP)) do
  local info = {}
  for i = 1, #row, 2 do info[row[i]] = row[i + 1] end
  if info.pending == 0 and (info.idle > tonumber(ARGV[2]) or info.name == ARGV[3]) then
    redis.call('XGROUP', 'DELCONSUMER', KEYS[1], GROUP, info.name)
    removed = removed + 1
  end
end
return removed
